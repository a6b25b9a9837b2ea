"""Carry a run from its first event to its last, and write down how it ended."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mlkit.core.events import EventKind
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.core.values import encode
from mlkit.driver.context import Context
from mlkit.driver.event_log import has_finished
from mlkit.driver.interrupts import interruptible
from mlkit.driver.joined import is_inferred, joined_status, nothing_to_come, with_uncalled
from mlkit.driver.loop import Loop
from mlkit.driver.state import INSTANCES_PER_STAGE
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder

__all__ = ["ending", "point_latest", "settle", "write_uncalled"]


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
        parameters=encode(context.record.parameters),
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
    record = _write_end(context, status, told=False)
    if context.publisher is not None:
        context.publisher.finish(context, record)
        while context.joins and context.publisher.take_in(context):
            record = _write_end(context, status, told=True)
            context.publisher.finish(context, record)
    return context.scrubber.record(record)


def _tell_end(context: Context, record: RunRecord, own: RunStatus) -> None:
    """Tell the end: in the log once, by the process that ends the run; to observers in each."""
    last = not context.joins or (
        record.ended is not None and not has_finished(context.journal.path)
    )
    context.journal.emit(
        EventKind.RUN_FINISHED, kept=last, **ending(record, record.status if last else own)
    )


def ending(record: RunRecord, status: RunStatus) -> dict[str, Any]:
    """The fields of the event `run_finished`."""
    counts: dict[str, int] = {}
    for stage in record.stages.values():
        counts[stage.status.value] = counts.get(stage.status.value, 0) + 1
    return {"status": status.value, "seconds": round(record.seconds, 3), "counts": counts}


def _write_end(context: Context, status: RunStatus, *, told: bool) -> RunRecord:
    """Write down that the run, or this part of it, has ended; and tell it, unless it was told."""
    with _alone(context):
        record = context.snapshot(status, context.clock.now())
        if context.joins:
            record = _joined(context, record)
        else:
            _drop_others(context, record)
        context.database.save_run(record)
        context.write_record(record)
        if record.complete and record.ok:
            point_latest(context.runs, context.database, record)
        if not told:
            _tell_end(context, record, status)
    return record


def _drop_others(context: Context, record: RunRecord) -> None:
    """Take away what a resumed run has of instances that are no longer in its list of values."""
    for instance_id in context.database.keep_stages(record.run_id, record.stages):
        folder = context.folder.stage(instance_id)
        if folder.is_dir() and folder not in map(context.folder.stage, record.stages):
            shutil.rmtree(folder, ignore_errors=True)


def _joined(context: Context, record: RunRecord) -> RunRecord:
    """The whole run as the database knows it, others' stages included; ended when all have."""
    whole = context.database.load_run(record.run_id)
    assert whole is not None
    stages = write_uncalled(context.pipeline, whole, context.database)
    status = joined_status(context.pipeline, stages)
    ended = record.ended if nothing_to_come(context.pipeline, stages) else None
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
    """Point `latest` at a run, unless it shows one that began later and has succeeded already.

    Which began later is told by the database, where clocks do not matter.
    """
    newest = runs.latest_id()
    shown = None if newest in (None, record.run_id) else database.load_run(str(newest))
    if shown is None or not shown.ok or database.is_later(record.run_id, shown.run_id):
        runs.set_latest(record.run_id)


@contextlib.contextmanager
def _alone(context: Context) -> Iterator[None]:
    """Keep others who work on the same run from writing its record at the same time."""
    if not context.joins:
        yield
        return
    with context.folder.settling():
        yield
