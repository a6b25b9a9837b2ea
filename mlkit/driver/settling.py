"""Carry a run from its first event to its last, and write down how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from mlkit.core.events import EventKind
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.driver.context import Context
from mlkit.driver.interrupts import interruptible
from mlkit.driver.joined import is_inferred, joined_status, with_uncalled
from mlkit.driver.loop import Loop
from mlkit.driver.state import INSTANCES_PER_STAGE
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder

__all__ = ["point_latest", "settle", "write_uncalled"]


def settle(context: Context, *, is_new: bool) -> RunRecord:
    """Run the loop and write down how it ended, also if it could not be carried through.

    Parameters
    ----------
    context : Context
        The run.
    is_new : bool
        Whether it starts now, rather than goes on.
    """
    with interruptible(context.cancellation):
        _begin(context, is_new=is_new)
        status = RunStatus.FAILED
        try:
            status = Loop(context).run()
        finally:
            for line in context.machinery.said:
                context.warn(line)
            record = _finish(context, status)
        return record


def _begin(context: Context, *, is_new: bool) -> None:
    with _alone(context):
        context.database.save_run(context.record)
        if not context.joins:
            context.write_record(context.snapshot())
        elif not context.folder.record.exists():
            context.write_record(context.record)
    if context.publisher is not None:
        context.publisher.begin(context)
    context.journal.emit(
        EventKind.RUN_STARTED if is_new else EventKind.RUN_RESUMED,
        pipeline=context.pipeline.name,
        file=str(context.pipeline.file),
        parameters=dict(context.record.parameters),
        stages=list(context.state.own_records()),
        workers=context.options.workers,
        start=context.options.start,
    )
    if is_new and not context.joins:
        _warn_of_idle_parameters(context)


def _warn_of_idle_parameters(context: Context) -> None:
    """A parameter that no stage declares changes nothing: it is probably mistyped."""
    declared = {name for stage in context.pipeline.stages.values() for name in stage.declared}
    for name in context.pipeline.parameters:
        if name not in declared:
            context.warn(f"no stage declares the parameter '{name}', so it changes nothing")


def _finish(context: Context, status: RunStatus) -> RunRecord:
    run_id, state = context.record.run_id, context.state
    for item in state.own_records().values():
        if item.status not in FINISHED:
            ended = state.change(
                item.id,
                status=Status.CANCELLED,
                reason="the run stopped before its end",
                ended=context.clock.now(),
            )
            context.database.save_stage(run_id, ended, state.place(item.id))
    record = _write_end(context, status)
    counts: dict[str, int] = {}
    for stage in record.stages.values():
        counts[stage.status.value] = counts.get(stage.status.value, 0) + 1
    context.journal.emit(
        EventKind.RUN_FINISHED,
        status=record.status.value,
        seconds=round(record.seconds, 3),
        counts=counts,
    )
    if context.publisher is not None:
        context.publisher.finish(context, record)
        while context.joins and context.publisher.take_in(context):
            record = _write_end(context, status)
            context.publisher.finish(context, record)
    return record


def _write_end(context: Context, status: RunStatus) -> RunRecord:
    """Write down that the run, or this part of it, has ended."""
    with _alone(context):
        record = context.snapshot(status, context.clock.now())
        if context.joins:
            record = _joined(context, record)
        else:
            context.database.keep_stages(record.run_id, record.stages)
        context.database.save_run(record)
        context.write_record(record)
        if record.complete and record.ok:
            point_latest(context.runs, context.database, record)
    return record


def _joined(context: Context, record: RunRecord) -> RunRecord:
    """The whole run as the database knows it, others' stages included; ended when all are."""
    whole = context.database.load_run(record.run_id)
    assert whole is not None
    stages = write_uncalled(context.pipeline, whole, context.database)
    status = joined_status(context.pipeline, stages)
    ended = None if status is RunStatus.RUNNING else record.ended
    return replace(record, stages=stages, status=status, ended=ended)


def write_uncalled(
    pipeline: Pipeline, record: RunRecord, database: Database
) -> dict[str, StageRecord]:
    """Write down the stages that are not to run and that nobody called; gives all stages."""
    stages = with_uncalled(pipeline, record.stages)
    database.drop_stages(record.run_id, record.stages.keys() - stages.keys())
    for place, name in enumerate(pipeline.stages):
        fresh = [r for r in stages.values() if r.stage == name and is_inferred(r)]
        for rank, item in enumerate(fresh):
            if record.stages.get(item.id) != item:
                database.save_stage(record.run_id, item, place * INSTANCES_PER_STAGE + rank)
    return stages


def point_latest(runs: RunsFolder, database: Database, record: RunRecord) -> None:
    """Point `latest` at a run, unless it shows a newer one that has succeeded already."""
    newest = runs.latest_id()
    shown = None if newest in (None, record.run_id) else database.load_run(str(newest))
    if shown is None or not shown.ok or shown.started <= record.started:
        runs.set_latest(record.run_id)


@contextlib.contextmanager
def _alone(context: Context) -> Iterator[None]:
    """Keep others who work on the same run from writing its record at the same time."""
    if not context.joins:
        yield
        return
    with context.folder.settling():
        yield
