"""A run whose stages an engine's tasks run: opened before it starts, settled when it has ended."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlkit.core.configuration import Configuration
from mlkit.core.events import Event, EventKind
from mlkit.core.graph import edges
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.driver.clock import Clock
from mlkit.driver.event_log import append_line, has_finished, open_log
from mlkit.driver.joined import joined_status
from mlkit.driver.options import RunOptions
from mlkit.driver.publishing import send_record
from mlkit.driver.settling import ending, point_latest, write_uncalled
from mlkit.driver.state import INSTANCES_PER_STAGE
from mlkit.store.database import Database
from mlkit.store.folder import RunFolder, RunsFolder, readable_os_errors
from mlkit.store.looking import opened
from mlkit.store.writing import write_json

__all__ = ["EngineRun"]


class EngineRun:
    """One run of a pipeline on an engine.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    configuration : Configuration
        Its parameters, as the tasks receive them, too.
    options : RunOptions
        What the record says was asked for.
    runs_dir : Path
        The runs folder.
    clock : Clock
        Dates the record.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        configuration: Configuration,
        options: RunOptions,
        runs_dir: Path,
        clock: Clock,
    ) -> None:
        self.pipeline = pipeline
        self.configuration = configuration
        self.options = options
        self.runs = RunsFolder(runs_dir)
        self.clock = clock
        self.scrubber = Scrubber(configuration.secrets)
        self._alive = contextlib.ExitStack()
        self.folder: RunFolder

    def open(self, engine: str) -> RunRecord:
        """Make the run's folder and its record, which the tasks will join."""
        self.runs.make()
        self.folder = self.runs.make_run()
        self._alive.enter_context(self.folder.lock(shared=True))
        record = RunRecord(
            run_id=self.folder.path.name,
            pipeline=self.pipeline.name,
            file=str(self.pipeline.file),
            runs_dir=str(self.runs.path),
            status=RunStatus.RUNNING,
            started=self.clock.now(),
            parameters=self.configuration.shown(),
            options={
                **self.options.to_json(),
                "overrides": self.configuration.overrides,
                "parameter_sources": self.configuration.sources(),
            },
            edges=edges(self.pipeline),
            engine={"name": engine, "run_id": ""},
        )
        with self._database() as database:
            database.save_run(record)
        self._write(record)
        return record

    def settle(self, run_id: str, trouble: str | None, *, cancelled: bool) -> RunRecord:
        """Write down how the run ended, when no task runs any more.

        Parameters
        ----------
        run_id : str
            The run.
        trouble : str, optional
            What the engine says went wrong; it counts only where a stage is missing for it.
        cancelled : bool
            Whether somebody stopped it.

        Returns
        -------
        RunRecord
            The whole record.
        """
        with self._alive, self._database() as database, self.folder.settling():
            record = database.load_run(run_id)
            assert record is not None
            for item in record.stages.values():
                if item.status not in FINISHED:
                    self._put(database, run_id, self._stopped(item))
            record = database.load_run(run_id)
            assert record is not None
            stages = write_uncalled(self.pipeline, record, database)
            status = joined_status(self.pipeline, stages)
            warnings = record.warnings
            if status is not RunStatus.SUCCEEDED and cancelled:
                status = RunStatus.CANCELLED
            elif status in (RunStatus.RUNNING, RunStatus.CANCELLED):
                status = RunStatus.FAILED
                warnings = (*warnings, trouble) if trouble else warnings
            if status is not RunStatus.SUCCEEDED:
                for name in self._missing(stages):
                    item = StageRecord(id=name, stage=name, status=Status.WAITING)
                    stages[name] = self._stopped(item)
                    self._put(database, run_id, stages[name])
            record = replace(
                record, stages=stages, status=status, ended=self.clock.now(), warnings=warnings
            )
            database.save_run(record)
            record = database.load_run(run_id) or record
            self._write(record)
            if record.ok:
                point_latest(self.runs, database, record)
            self._log_end(record)
        send_record(record)
        return record

    def _log_end(self, record: RunRecord) -> None:
        """Add the end to the log, unless the last task has done so."""
        if has_finished(self.folder.events):
            return
        line = json.dumps(self.event(record, EventKind.RUN_FINISHED).to_json()) + "\n"
        with readable_os_errors(self.folder.events):
            descriptor = open_log(self.folder.events)
            try:
                append_line(descriptor, line.encode())
            finally:
                os.close(descriptor)

    def event(self, record: RunRecord, kind: EventKind) -> Event:
        """The first or the last event of the run as a whole, for observers."""
        first = {"pipeline": record.pipeline, "stages": list(self.pipeline.stages)}
        last = ending(record, record.status)
        return Event(
            kind=kind,
            time=self.clock.now(),
            run_id=record.run_id,
            data=first if kind is EventKind.RUN_STARTED else last,
        )

    def _missing(self, stages: dict[str, StageRecord]) -> list[str]:
        there = {item.stage for item in stages.values()}
        return [name for name in self.pipeline.stages if name not in there]

    def _stopped(self, item: StageRecord) -> StageRecord:
        return replace(
            item,
            status=Status.CANCELLED,
            reason="the engine stopped before its end",
            ended=self.clock.now(),
            critical=self.pipeline.stages[item.stage].critical,
        )

    def _put(self, database: Database, run_id: str, item: StageRecord) -> None:
        place = list(self.pipeline.stages).index(item.stage) * INSTANCES_PER_STAGE
        database.save_stage(run_id, item, place)

    def _write(self, record: RunRecord) -> None:
        write_json(self.scrubber.record(record).to_full_json(), self.folder.record)

    @contextlib.contextmanager
    def _database(self) -> Iterator[Database]:
        with self.runs.shared(), opened(self.runs) as database:
            database.scrubber = self.scrubber
            yield database
