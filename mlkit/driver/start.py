"""Open a run, run it, and settle its record."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.core.configuration import Configuration
from mlkit.core.graph import edges
from mlkit.core.pipeline import Pipeline
from mlkit.core.policies import Notify
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.core.states import RunStatus
from mlkit.driver.answering import answered
from mlkit.driver.commit import Committer
from mlkit.driver.connecting import connect, executor_for, refuse_alive, take_in_others
from mlkit.driver.context import Context
from mlkit.driver.descriptors import fit_workers
from mlkit.driver.engine_ids import engine_ids
from mlkit.driver.executors import AttemptExecutor
from mlkit.driver.given import check_wanted, forecast_given, joined_given, place_given
from mlkit.driver.journal import Journal
from mlkit.driver.machinery import Machinery
from mlkit.driver.options import RunOptions
from mlkit.driver.publishing import published
from mlkit.driver.selecting import Selection, select, without_retries
from mlkit.driver.services import Services
from mlkit.driver.settling import settle
from mlkit.driver.state import RunState
from mlkit.driver.surroundings import kernel_environment
from mlkit.errors import UsageError
from mlkit.planner.deciding import Planner
from mlkit.planner.trace import Circumstances
from mlkit.store.artifacts import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunFolder, RunsFolder
from mlkit.store.looking import opened

if TYPE_CHECKING:
    from mlkit.store.remote.sharing import Sharing

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
        self.scrubber = Scrubber(configuration.secrets)
        self.store = ArtifactStore(self.runs.store)
        self.engine = engine_ids(self.services.environ) if self.joins else None
        if self.engine is not None and self.engine.notifies:
            silent = dict.fromkeys(configuration.notify, Notify())
            self.configuration = replace(configuration, notify=silent)
        self.sharing: Sharing | None = None
        self.few: list[str] = []
        self.attempts: AttemptExecutor

    @property
    def joins(self) -> bool:
        return self.options.run_id is not None

    def go(self, selection: Selection, earlier: RunRecord | None = None) -> RunRecord:
        """Take the locks, run, release them."""
        self._fit_workers()
        self.runs.make()
        with self.runs.lock(shared=True) as free:
            if not free:
                raise UsageError(
                    "the runs folder is being cleaned",
                    self.runs.path,
                    remedy="Try again when 'mlkit clean' has ended",
                )
            with opened(self.runs) as database:
                database.scrubber = self.scrubber
                self.sharing = connect(self.runs, database, self.options, self.services)
                if self.sharing is not None:
                    self.store = take_in_others(
                        self.sharing, self.pipeline, selection, self.options
                    )
                with contextlib.closing(
                    executor_for(self.runs, self.pipeline, self.options, self.sharing)
                ) as self.attempts:
                    return self._locked(selection, earlier, database)

    def _locked(
        self, selection: Selection, earlier: RunRecord | None, database: Database
    ) -> RunRecord:
        planner = Planner(
            self.pipeline,
            self.configuration,
            database,
            self.store,
            verify=self.options.verify,
            circumstances=Circumstances(
                environ=kernel_environment(self.services.environ),
                key=self._trace_key(),
            ),
        )
        if self.joins:
            return self._join(selection, database, planner)
        forecasts = forecast_given(planner, selection) if selection.upstream else {}
        folder = self.runs.make_run(None if earlier is None else earlier.run_id)
        with folder.lock(shared=False) as mine:
            refuse_alive(folder, free=mine)
            if earlier is not None:
                earlier = database.load_run(earlier.run_id)
            context = self._context(selection, earlier, database, planner, folder)
            with self._opened(context):
                if earlier is not None:
                    Committer(context).sweep()
                placed = place_given(self.pipeline, forecasts, Committer(context))
                if placed:
                    check_wanted(self.pipeline, selection, placed)
                    context.state = self._state(selection, placed, earlier)
                return settle(context, is_new=earlier is None)

    def _trace_key(self) -> bytes:
        """With what digests of environment variables are keyed: one for all who share results."""
        return self.runs.trace_key() if self.sharing is None else self.sharing.trace_key()

    def _join(self, selection: Selection, database: Database, planner: Planner) -> RunRecord:
        """Run one stage of a run that others work on, too."""
        run_id = self.options.run_id
        assert run_id is not None
        known = database.load_run(run_id)
        answer = answered(self.pipeline, known, selection, self.engine)
        if answer is not None:
            return answer
        given = joined_given(self.pipeline, known, selection, run_id)
        self.pipeline = without_retries(self.pipeline, selection)
        self._with_one_kernel(selection)
        folder = self.runs.make_run(run_id)
        assert self.options.only is not None
        with folder.lock(shared=True) as mine, folder.stage_lock(self.options.only):
            refuse_alive(folder, free=mine)
            earlier = database.load_run(run_id)
            given = joined_given(self.pipeline, earlier, selection, run_id)
            context = self._context(selection, earlier, database, planner, folder, given)
            with self._opened(context):
                return settle(context, is_new=earlier is None)

    def _with_one_kernel(self, selection: Selection) -> None:
        """A single attempt does not pay for a process that others could be forked from."""
        mapped = any(self.pipeline.stages[name].foreach for name in selection.stages)
        if selection.wanted is not None or not mapped:
            self.options = replace(self.options, start="spawn")

    def _context(
        self,
        selection: Selection,
        earlier: RunRecord | None,
        database: Database,
        planner: Planner,
        folder: RunFolder,
        given: Mapping[str, StageRecord] | None = None,
    ) -> Context:
        clock, observers = self.services.clock, self.services.observers
        journal = Journal(folder.path.name, folder.events, clock, self.scrubber, observers)
        environment = kernel_environment(self.services.environ)
        machinery = Machinery(self.pipeline, self.options, self.services, environment)
        machinery.said += self.few
        return Context(
            pipeline=self.pipeline,
            configuration=self.configuration,
            options=self.options,
            runs=self.runs,
            folder=folder,
            database=database,
            store=self.store,
            planner=planner,
            journal=journal,
            clock=clock,
            scrubber=self.scrubber,
            state=self._state(selection, given, earlier),
            notifier=self.services.notifier,
            cancellation=self.services.cancellation,
            machinery=machinery,
            attempts=self.attempts,
            environment=environment,
            record=self._record(folder, selection, earlier),
            previous={} if earlier is None else earlier.stages,
            waited=self.engine is not None and self.engine.waited,
        )

    def _fit_workers(self) -> None:
        """Take no more workers than there can be open files; those of a cluster are not here."""
        if self.options.executor == "threads":
            workers, few = fit_workers(self.options.workers)
            self.options = replace(self.options, workers=workers)
            self.few = [] if few is None else [few]

    def _state(
        self,
        selection: Selection,
        given: Mapping[str, StageRecord] | None,
        earlier: RunRecord | None,
    ) -> RunState:
        stages = {} if earlier is None else earlier.stages
        return RunState(
            self.pipeline,
            selection.stages,
            given,
            selection.wanted,
            {key: item.history for key, item in stages.items()},
            None if self.engine is None else self.engine.task_id or None,
        )

    @contextlib.contextmanager
    def _opened(self, context: Context) -> Iterator[None]:
        """End workers and kernels, give back the lease and close the log, whatever happens."""
        deep, shared = self.options.verify, self.joins
        with (
            contextlib.closing(context.journal),
            context.machinery,
            published(self.sharing, context.folder, deep=deep, shared=shared) as publisher,
        ):
            context.publisher = publisher
            self.attempts.attach(context)
            yield

    def _record(
        self, folder: RunFolder, selection: Selection, earlier: RunRecord | None
    ) -> RunRecord:
        if earlier is not None:
            return replace(
                earlier,
                status=RunStatus.RUNNING,
                ended=None,
                file=str(self.pipeline.file),
                edges=edges(self.pipeline),
                engine=earlier.engine if self.engine is None else self.engine.run,
            )
        complete = self.joins or selection.is_complete(self.pipeline)
        options = self.options.to_json()
        if self.joins:
            options |= {"only": None, "joined": True}
        return RunRecord(
            run_id=folder.path.name,
            pipeline=self.pipeline.name,
            file=str(self.pipeline.file),
            runs_dir=str(self.runs.path),
            status=RunStatus.RUNNING,
            started=self.services.clock.now(),
            parameters=self.configuration.shown(),
            options={
                **options,
                "overrides": self.configuration.overrides,
                "parameter_sources": self.configuration.sources(),
            },
            edges=edges(self.pipeline),
            complete=complete,
            engine=None if self.engine is None else self.engine.run,
        )
