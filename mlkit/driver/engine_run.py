"""A run whose stages an engine's tasks run: opened before it starts, settled when it has ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from mlkit.core.events import EventKind
from mlkit.core.record import Places, RunRecord, StageRecord
from mlkit.core.record_views import with_lost_attempt
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.driver.book import new_record
from mlkit.driver.event_log import has_finished, last_signs
from mlkit.driver.joined import joined_status
from mlkit.driver.journal import Journal
from mlkit.driver.order import Order
from mlkit.driver.publishing import send_record
from mlkit.driver.settling import write_uncalled
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.latest import point_latest
from mlkit.store.looking import opened
from mlkit.store.writing import write_json

__all__ = ["EngineRun"]


class EngineRun:
    """One run of a pipeline on an engine: its folder and its record, which the tasks will join.

    Parameters
    ----------
    order : Order
        What is asked for, as the tasks receive it, too.
    engine : str
        The engine's name.
    """

    def __init__(self, order: Order, engine: str) -> None:
        self.order = order
        self.pipeline = order.pipeline
        self.clock = order.services.clock
        self.runs = RunsFolder(order.runs_dir)
        self.runs.make()
        name = order.options.name
        label = None if name is None else self.runs.check_label(name)
        self.folder = self.runs.make_run(now=self.clock.now())
        self.record = new_record(order, self.folder, {"name": engine, "run_id": ""})
        self._alive = contextlib.ExitStack()
        self._alive.enter_context(self.folder.lock(shared=True))
        if label is not None:
            self.runs.labels.give(label, self.folder.path.name)
            self.record = replace(self.record, labels=(label,))
        with self._database() as database:
            database.save_run(self.record)
        self._write(self.record)
        run_id, observers = self.record.run_id, order.services.observers
        self.journal = Journal(run_id, self.folder.events, self.clock, order.scrubber, observers)
        self._alive.callback(self.journal.close)

    def tell_start(self) -> None:
        """Tell observers that the run starts; in the log every task says so for itself."""
        stages, options = self.pipeline.stages, self.order.options
        self.journal.tell_start(EventKind.RUN_STARTED, self.record, stages, options, kept=False)

    def settle(self, trouble: str | None, *, cancelled: bool) -> RunRecord:
        """Write down how the run ended, when no task runs any more, and tell it.

        Parameters
        ----------
        trouble : str, optional
            What the engine says went wrong; it counts only where a stage is missing for it.
        cancelled : bool
            Whether somebody stopped it.

        Returns
        -------
        RunRecord
            The whole record.
        """
        run_id = self.record.run_id
        with self._alive, self._database() as database, self.folder.settling():
            record = database.load_run(run_id)
            assert record is not None
            signs = last_signs(self.folder.events)
            for item in record.stages.values():
                if item.status not in FINISHED:
                    known = with_lost_attempt(item, signs.get(item.id))
                    self._put(database, run_id, self._stopped(known))
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
            told = has_finished(self.folder.events)  # by the task that was the last
            self.journal.tell_end(record, record.status, kept=not told)
        send_record(record)
        return record

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
        database.save_stage(run_id, item, Places(self.pipeline.stages).entry(item.stage))

    def _write(self, record: RunRecord) -> None:
        write_json(self.order.scrubber.record(record).to_full_json(), self.folder.record)

    @contextlib.contextmanager
    def _database(self) -> Iterator[Database]:
        with self.runs.shared(), opened(self.runs) as database:
            database.scrubber = self.order.scrubber
            yield database
