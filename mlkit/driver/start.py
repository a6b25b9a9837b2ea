"""Open a run, run it, and settle its record."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mlkit.core.configuration import Configuration
from mlkit.core.events import EventKind
from mlkit.core.graph import edges
from mlkit.core.pipeline import Pipeline
from mlkit.core.policies import Retry
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.driver.commit import Committer
from mlkit.driver.context import Context
from mlkit.driver.given import forecast_given, joined_given, place_given
from mlkit.driver.journal import Journal
from mlkit.driver.loop import Loop
from mlkit.driver.machinery import Machinery
from mlkit.driver.options import RunOptions
from mlkit.driver.selecting import Selection, select
from mlkit.driver.services import Services
from mlkit.driver.state import RunState
from mlkit.driver.surroundings import kernel_environment
from mlkit.errors import UsageError
from mlkit.planner.deciding import Planner
from mlkit.planner.forecast import Forecast
from mlkit.store.artifacts import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunFolder, RunsFolder

__all__ = ["resume_run", "start_run"]


def start_run(
    pipeline: Pipeline,
    configuration: Configuration,
    options: RunOptions,
    runs_dir: Path,
    services: Services | None = None,
) -> RunRecord:
    """Run a pipeline, or the selected part of it.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    configuration : Configuration
        Its parameters.
    options : RunOptions
        What is asked for.
    runs_dir : Path
        The runs folder.
    services : Services, optional
        The driver's surroundings.

    Returns
    -------
    RunRecord
        The record; a failed run is a value, not an exception.

    Raises
    ------
    UsageError
        If the options name what does not exist, or an upstream artifact is missing.
    RunsFolderError
        If the runs folder cannot be used.
    """
    selection = select(pipeline, options)
    return _Run(pipeline, configuration, options, runs_dir, services or Services()).go(selection)


def resume_run(
    record: RunRecord,
    pipeline: Pipeline,
    configuration: Configuration,
    options: RunOptions,
    services: Services | None = None,
) -> RunRecord:
    """Finish a run that was killed or has failed; what it finished already is not repeated.

    Raises
    ------
    UsageError
        If the run is alive.
    """
    selection = select(pipeline, options)
    runs_dir = Path(record.runs_dir)
    run = _Run(pipeline, configuration, options, runs_dir, services or Services())
    return run.go(selection, record)


class _Run:
    """One call of `start_run` or `resume_run`."""

    def __init__(
        self,
        pipeline: Pipeline,
        configuration: Configuration,
        options: RunOptions,
        runs_dir: Path,
        services: Services,
    ) -> None:
        self.pipeline = pipeline
        self.configuration = configuration
        self.options = options
        self.services = services
        self.runs = RunsFolder(runs_dir)
        self.store = ArtifactStore(self.runs.store)

    @property
    def joins(self) -> bool:
        return self.options.run_id is not None

    def go(self, selection: Selection, earlier: RunRecord | None = None) -> RunRecord:
        """Take the locks, run, release them."""
        self.runs.make()
        with self.runs.lock(shared=True) as free:
            if not free:
                raise UsageError(
                    "the runs folder is being cleaned",
                    self.runs.path,
                    remedy="Try again when 'mlkit clean' has ended",
                )
            with contextlib.closing(Database(self.runs.database)) as database:
                return self._locked(selection, earlier, database)

    def _locked(
        self, selection: Selection, earlier: RunRecord | None, database: Database
    ) -> RunRecord:
        planner = Planner(
            self.pipeline, self.configuration, database, self.store, verify=self.options.verify
        )
        given: Mapping[str, StageRecord] = {}
        forecasts: Mapping[str, Forecast] = {}
        if self.joins:
            assert self.options.run_id is not None
            earlier = database.load_run(self.options.run_id)
            given = joined_given(self.pipeline, earlier, selection, self.options.run_id)
            self._without_retries(selection)
        elif selection.upstream:
            forecasts = forecast_given(planner, selection)
        folder = self._folder(earlier)
        with folder.lock(shared=self.joins) as mine:
            if not mine:
                raise UsageError(
                    f"run {folder.path.name} is alive",
                    remedy="Wait until it has ended, or stop it first",
                )
            return self._open(selection, earlier, database, planner, folder, given, forecasts)

    def _without_retries(self, selection: Selection) -> None:
        """Leave retries to the orchestrator that calls."""
        stages = dict(self.pipeline.stages)
        for name in selection.stages:
            stages[name] = replace(stages[name], retry=Retry())
        self.pipeline = replace(self.pipeline, stages=stages)

    def _folder(self, earlier: RunRecord | None) -> RunFolder:
        run_id = self.options.run_id if earlier is None else earlier.run_id
        return self.runs.make_run(run_id)

    def _open(
        self,
        selection: Selection,
        earlier: RunRecord | None,
        database: Database,
        planner: Planner,
        folder: RunFolder,
        given: Mapping[str, StageRecord],
        forecasts: Mapping[str, Forecast],
    ) -> RunRecord:
        scrubber = Scrubber(self.configuration.secrets)
        journal = Journal(
            folder.path.name, folder.events, self.services.clock, scrubber, self.services.observers
        )
        environment = kernel_environment(self.services.environ)
        said: list[str] = []
        with (
            contextlib.closing(journal),
            Machinery(
                self.pipeline, self.options, self.services, environment, said.append
            ) as machinery,
        ):
            context = Context(
                pipeline=self.pipeline,
                configuration=self.configuration,
                options=self.options,
                runs=self.runs,
                folder=folder,
                database=database,
                store=self.store,
                planner=planner,
                journal=journal,
                clock=self.services.clock,
                scrubber=scrubber,
                state=RunState(self.pipeline, selection.stages, given, selection.wanted),
                notifier=self.services.notifier,
                cancellation=self.services.cancellation,
                runner=machinery.runner,
                executor=machinery.executor,
                environment=environment,
                record=self._record(folder, selection, earlier),
                previous={} if earlier is None else earlier.stages,
            )
            placed = place_given(self.pipeline, forecasts, Committer(context))
            if placed:
                context.state = RunState(self.pipeline, selection.stages, placed, selection.wanted)
            return self._settle(context, earlier, said)

    def _record(
        self, folder: RunFolder, selection: Selection, earlier: RunRecord | None
    ) -> RunRecord:
        if earlier is not None:
            return replace(earlier, status=RunStatus.RUNNING, ended=None)
        complete = self.joins or selection.is_complete(self.pipeline)
        return RunRecord(
            run_id=folder.path.name,
            pipeline=self.pipeline.name,
            file=str(self.pipeline.file),
            runs_dir=str(self.runs.path),
            status=RunStatus.RUNNING,
            started=self.services.clock.now(),
            parameters=self.configuration.shown(),
            options={
                **self.options.to_json(),
                "overrides": self.configuration.overrides,
                "parameter_sources": self.configuration.sources(),
            },
            edges=edges(self.pipeline),
            complete=complete,
        )

    def _settle(self, context: Context, earlier: RunRecord | None, said: list[str]) -> RunRecord:
        """Run the loop and write down how it ended, also if it could not be carried through."""
        context.database.save_run(context.record)
        context.write_record(context.snapshot())
        kind = EventKind.RUN_STARTED if earlier is None else EventKind.RUN_RESUMED
        context.journal.emit(
            kind,
            pipeline=self.pipeline.name,
            file=str(self.pipeline.file),
            parameters=dict(context.record.parameters),
            stages=list(context.state.own_records()),
            workers=self.options.workers,
            kernel=self.options.kernel,
        )
        status = RunStatus.FAILED
        try:
            with _interruptible(context):
                status = Loop(context).run()
        finally:
            for line in said:
                context.warn(line)
            record = self._finish(context, status)
        return record

    def _finish(self, context: Context, status: RunStatus) -> RunRecord:
        for item in context.state.own_records().values():
            if item.status not in FINISHED:
                ended = context.state.change(
                    item.id, status=Status.CANCELLED, reason="the run stopped before its end"
                )
                context.database.save_stage(
                    context.record.run_id, ended, context.state.place(item.id)
                )
        record = context.snapshot(status, self.services.clock.now())
        if self.joins:
            record = self._joined(context, record)
        context.database.save_run(record)
        context.write_record(record)
        if record.complete and record.status is RunStatus.SUCCEEDED:
            self.runs.set_latest(record.run_id)
        counts: dict[str, int] = {}
        for stage in record.stages.values():
            counts[stage.status.value] = counts.get(stage.status.value, 0) + 1
        context.journal.emit(
            EventKind.RUN_FINISHED,
            status=record.status.value,
            seconds=round(record.seconds, 3),
            counts=counts,
        )
        return record

    def _joined(self, context: Context, record: RunRecord) -> RunRecord:
        """The whole run as the database knows it, others' stages included; ended when all are."""
        whole = context.database.load_run(record.run_id)
        assert whole is not None
        stages = whole.stages
        ended = all(
            any(item.stage == name for item in stages.values()) for name in self.pipeline.stages
        ) and all(item.status in FINISHED for item in stages.values())
        failed = any(i.status is Status.FAILED and i.critical for i in stages.values())
        status = RunStatus.RUNNING
        if ended:
            status = RunStatus.FAILED if failed else RunStatus.SUCCEEDED
        return replace(record, stages=stages, status=status, ended=record.ended if ended else None)


@contextlib.contextmanager
def _interruptible(context: Context) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the run in order; only the main thread can be told of them."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: object) -> None:
        context.cancellation.request()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
