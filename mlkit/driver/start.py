"""The story of a run, top to bottom: open what it works with, carry it through, write its end.

A run of its own and a stage of a run that others work on, too, differ in what they lock and in
what they take as given; then both go the same way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlkit.core.events import EventKind
from mlkit.core.graph import edges
from mlkit.core.policies import Notify
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.record_views import last_moment, with_lost_attempt
from mlkit.core.states import FINISHED, RunStatus
from mlkit.driver.answering import answered
from mlkit.driver.book import Book, new_record
from mlkit.driver.commit import sweep
from mlkit.driver.connecting import Stores, opened_executor, opened_stores, refuse_alive
from mlkit.driver.context import Context
from mlkit.driver.descriptors import fit_workers
from mlkit.driver.endings import short
from mlkit.driver.event_log import last_signs
from mlkit.driver.executors import AttemptExecutor, Workshop
from mlkit.driver.given import (
    check_wanted,
    forecast_given,
    joined_given,
    place_given,
    refuse_other_parameters,
)
from mlkit.driver.interrupts import interruptible
from mlkit.driver.journal import Journal
from mlkit.driver.loop import Loop
from mlkit.driver.machinery import Machinery
from mlkit.driver.order import Order
from mlkit.driver.publishing import published
from mlkit.driver.selecting import without_retries
from mlkit.driver.settling import write_down_end
from mlkit.driver.state import RunState
from mlkit.driver.stop_requests import heeding_requests
from mlkit.driver.surroundings import kernel_environment
from mlkit.frozen import dataclass
from mlkit.load.likely_slips import likely_slips
from mlkit.planner.deciding import Planner
from mlkit.planner.variables import Circumstances
from mlkit.store.folder import RunFolder, RunsFolder

__all__ = ["resume_run", "start_run"]


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """What is there of a run before its first event: its folder, and what it need not make."""

    folder: RunFolder
    earlier: RunRecord | None
    given: Mapping[str, StageRecord]

    @property
    def stages(self) -> Mapping[str, StageRecord]:
        return {} if self.earlier is None else self.earlier.stages


def start_run(order: Order) -> RunRecord:
    """Run a pipeline, or the selected part of it.

    Parameters
    ----------
    order : Order
        What is asked for.

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
    _check_asked(order)
    return _run_joined(order) if order.joins else _run_alone(order)


def resume_run(order: Order, run_id: str) -> RunRecord:
    """Finish a run that was killed or has failed; what it finished already is not repeated.

    Raises
    ------
    UsageError
        If the run is alive.
    """
    _check_asked(order)
    return _run_alone(order, run_id)


def _check_asked(order: Order) -> None:
    """Refuse, before anything is made, to tell nobody, or to keep kernels that others reach.

    What few runs ask for is imported by those.
    """
    if order.options.track is not None:
        from mlkit.driver.tracked import tracked_address  # MLflow's, which few runs need

        tracked_address(order)
    if order.options.keep_failed is not None:
        # A run that reuses everything starts sooner without what keeps kernels.
        from mlkit.notebook.kernels.kept_kernels import kept_place
        from mlkit.notebook.kernels.own_folder import own_folder

        own_folder(kept_place())


def _run_alone(order: Order, resumed: str | None = None) -> RunRecord:
    """A run of its own: a new one, or one that goes on where it was left."""
    pipeline, selection = order.pipeline, order.selection
    order = _with_fitting_workers(order)
    with opened_stores(order) as stores, opened_executor(order, stores) as attempts:
        stores.name_run(order)
        planner = _planner(order, stores)
        forecasts = forecast_given(planner, selection) if selection.upstream else {}
        folder = stores.runs.make_run(resumed, now=order.services.clock.now())
        with folder.lock(shared=False) as mine:
            refuse_alive(folder, free=mine)
            stores.name_run(order, folder.path.name)
            earlier = None if resumed is None else stores.database.load_run(resumed)
            if earlier is not None:
                sweep(folder)
            given = place_given(pipeline, forecasts, folder, stores.artifacts)
            if given:
                check_wanted(pipeline, selection, given)
            begun = _Begun(folder=folder, earlier=earlier, given=given)
            return _carry_through(order, stores, planner, attempts, begun)


def _run_joined(order: Order) -> RunRecord:
    """One stage of a run that others work on, too: what an orchestrator's task asks for."""
    run_id, selection = order.options.run_id, order.selection
    order = _with_fitting_workers(order)
    assert run_id is not None
    called = order.called
    assert called is not None
    with opened_stores(order) as stores, opened_executor(order, stores) as attempts:
        known = stores.database.load_run(run_id)
        refuse_other_parameters(known, order)
        answer = answered(order.pipeline, known, selection, order.engine)
        if answer is not None:
            return answer
        joined_given(order.pipeline, known, selection, run_id)  # refuses before a folder is made
        stores.name_run(order)
        order = _for_one_call(order)
        planner = _planner(order, stores)
        folder = stores.runs.make_run(run_id, now=order.services.clock.now())
        with folder.lock(shared=True) as mine, folder.stage_lock(called):
            refuse_alive(folder, free=mine)
            stores.name_run(order, run_id)
            stores.wait_for_others(run_id, called, order.services.clock)
            earlier = stores.database.load_run(run_id)
            given = joined_given(order.pipeline, earlier, selection, run_id)
            begun = _Begun(folder=folder, earlier=earlier, given=given)
            return _carry_through(order, stores, planner, attempts, begun)


def _with_fitting_workers(order: Order) -> Order:
    """Take no more workers than there can be open files; those of a cluster are not here."""
    if order.options.executor != "threads":
        return order
    workers, few = fit_workers(order.options.workers)
    options = replace(order.options, workers=workers)
    return replace(order, options=options, notes=() if few is None else (few,))


def _for_one_call(order: Order) -> Order:
    """Leave to the caller what is the caller's: retries, and messages where an engine sends them.

    A single attempt does not pay for a process that others could be forked from.
    """
    pipeline, configuration, options = order.pipeline, order.configuration, order.options
    selection = order.selection
    mapped = any(pipeline.stages[name].foreach for name in selection.stages)
    if selection.wanted is not None or not mapped:
        options = replace(options, start="spawn")
    if order.engine is not None and order.engine.notifies:
        silent = dict.fromkeys(configuration.notify, Notify())
        configuration = replace(configuration, notify=silent)
    pipeline = without_retries(pipeline, selection)
    return replace(order, pipeline=pipeline, configuration=configuration, options=options)


def _planner(order: Order, stores: Stores) -> Planner:
    environ = kernel_environment(order.services.environ)
    return Planner(
        order.pipeline,
        order.configuration,
        stores.database,
        stores.artifacts,
        verify=order.options.verify,
        circumstances=Circumstances(environ=environ, key=stores.trace_key),
    )


def _carry_through(
    order: Order,
    stores: Stores,
    planner: Planner,
    attempts: AttemptExecutor,
    begun: _Begun,
) -> RunRecord:
    """Run from the first event to the last; the end is written down whatever happens."""
    services, folder, deep = order.services, begun.folder, order.options.verify
    clock, environ = services.clock, planner.circumstances.environ
    journal = Journal(folder.path.name, folder.events, clock, order.scrubber, services.observers)
    with (
        contextlib.closing(journal),
        contextlib.closing(Machinery(order, environ)) as machinery,
        published(stores.sharing, folder, clock, deep=deep, work=order.called) as publisher,
        interruptible(services.cancellation),
        contextlib.ExitStack() as running,
    ):
        if not order.joins:
            running.enter_context(heeding_requests(folder, services.cancellation))
        book = Book(
            order=order,
            record=_record(order, begun),
            state=_state(order, begun),
            folder=folder,
            database=stores.database,
            journal=journal,
            publisher=publisher,
        )
        tracking = None
        if order.options.track is not None:
            from mlkit.driver.tracked import tracked  # as above

            tracking = running.enter_context(tracked(book, is_resumed=begun.earlier is not None))
        attempts.attach(
            Workshop(order=order, store=stores.artifacts, machinery=machinery, tracking=tracking)
        )
        context = Context(
            order=order,
            stores=stores,
            planner=planner,
            attempts=attempts,
            book=book,
            previous=begun.stages,
        )
        _begin(book, is_new=begun.earlier is None)
        _tell_lost(book, begun.stages)
        status = RunStatus.FAILED
        try:
            status = Loop(context).run()
        finally:
            for line in (*order.notes, *machinery.said):
                book.warn(line)
            record = write_down_end(context, status)
            if tracking is not None:
                record = tracking.finish(record)
        return record


def _begin(book: Book, *, is_new: bool) -> None:
    with book.alone():
        book.database.save_run(book.record)
        if not book.joins:
            book.write(book.snapshot())
        elif not book.folder.record.exists():
            book.write(book.record)
    if book.publisher is not None:
        book.publisher.begin(book)
    kind = EventKind.RUN_STARTED if is_new else EventKind.RUN_RESUMED
    book.journal.tell_start(kind, book.record, book.state.own_records(), book.order.options)
    if is_new and not book.joins:
        for line in likely_slips(book.order.pipeline):
            book.warn(line)


def _tell_lost(book: Book, earlier: Mapping[str, StageRecord]) -> None:
    """Say in the log which attempts had begun, and were lost with their process."""
    for item in book.state.own_records().values():
        before = earlier.get(item.id)
        for attempt in item.history[0 if before is None else before.attempts :]:
            book.journal.emit(
                EventKind.ATTEMPT_FINISHED,
                item.id,
                attempt.number,
                status=attempt.status.value,
                seconds=round(attempt.seconds, 3),
                error=short(attempt.error),
                cpu_s=None,
                peak_memory_bytes=None,
            )


def _state(order: Order, begun: _Begun) -> RunState:
    signs = last_signs(begun.folder.events) if any(map(_is_torn, begun.stages.values())) else {}
    stages = {key: with_lost_attempt(item, signs.get(key)) for key, item in begun.stages.items()}
    return RunState(
        order.pipeline,
        order.selection,
        begun.given,
        {key: item.history for key, item in stages.items()},
        None if order.engine is None else order.engine.task_id or None,
        {key: item.engine_round for key, item in stages.items()},
    )


def _is_torn(stage: StageRecord) -> bool:
    return stage.begun is not None and stage.status not in FINISHED


def _idle_s(order: Order, earlier: RunRecord, events: Path) -> float:
    """How long a run lay still, all in all, now that it goes on.

    One that a kill cut short stopped when something was heard of it last; one that others work on
    too lies still only after its end.
    """
    stopped = earlier.ended
    if stopped is None and not order.joins:
        stopped = max([last_moment(earlier), *last_signs(events).values()])
    still = 0.0 if stopped is None else order.services.clock.now() - stopped
    return round(earlier.idle_s + max(0.0, still), 3)


def _record(order: Order, begun: _Begun) -> RunRecord:
    engine = None if order.engine is None else order.engine.run
    labels = RunsFolder(order.runs_dir).labels.of(begun.folder.path.name)
    if begun.earlier is not None:
        return replace(
            begun.earlier,
            labels=labels,
            idle_s=_idle_s(order, begun.earlier, begun.folder.events),
            status=RunStatus.RUNNING,
            ended=None,
            file=str(order.pipeline.file),
            edges=edges(order.pipeline),
            engine=begun.earlier.engine if engine is None else engine,
        )
    record = replace(new_record(order, begun.folder, engine), labels=labels)
    if order.joins:
        return replace(record, options={**record.options, "only": None, "joined": True})
    return replace(record, complete=order.selection.is_complete(order.pipeline))
