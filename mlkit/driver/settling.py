"""How a run's end is written down: its part, and the whole of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.record import Places, RunRecord, StageRecord
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.core.triggers import NOT_STARTED, blame, judge_tally
from mlkit.driver.book import Book
from mlkit.driver.context import Context
from mlkit.driver.event_log import has_finished
from mlkit.driver.joined import is_inferred, joined_status, nothing_to_come, with_uncalled
from mlkit.driver.state import RunState
from mlkit.store.database import Database
from mlkit.store.latest import point_latest

__all__ = ["write_down_end", "write_uncalled"]


def write_down_end(context: Context, status: RunStatus) -> RunRecord:
    """Write down how a run has ended, or this process's part of it; gives the whole record.

    Parameters
    ----------
    context : Context
        The run; what of it has not finished was given up.
    status : RunStatus
        How it ended.
    """
    book = context.book
    for item in book.state.own_records().values():
        if item.status not in FINISHED:
            ended = book.state.change(
                item.id,
                status=Status.CANCELLED,
                reason="the run stopped before its end",
                ended=book.clock.now(),
            )
            book.save(ended)
    _name_all_who_decided(book)
    record = _written(context, status, told=False)
    if book.publisher is not None:
        book.publisher.finish(book, record)
        while book.joins and book.publisher.take_in(book):
            record = _written(context, status, told=True)
            book.publisher.finish(book, record)
    return book.scrubber.record(record)


def _name_all_who_decided(book: Book) -> None:
    """Have the reason of what did not start name all the upstream that it did not start for.

    A stage ends so as soon as one of them decides it; who else would have is known only now. So the
    reason does not depend on who was first, nor on who runs the stages.
    """
    state = book.state
    for name in state.order:
        stage, table = state.pipeline.stages[name], state.tables[name]
        reasons: dict[tuple[str, ...], str] = {}
        for item in [state.records[i] for i in table.ids if is_inferred(state.records[i])]:
            own = table.own(item.id) if stage.is_chained else {}
            values = tuple(own.values())
            if values not in reasons:
                reasons[values] = _who_decided(state, stage, own) or item.reason
            if reasons[values] != item.reason:
                book.save(state.change(item.id, reason=reasons[values]))


def _who_decided(state: RunState, stage: Stage, own: Mapping[str, str]) -> str:
    """Whom a trigger rule has to blame; empty if it was something else that kept a stage back."""
    verdict = judge_tally(stage.trigger, state.tally(stage.upstream, own))
    if verdict not in NOT_STARTED:
        return ""
    upstream = [record for node in stage.upstream for record in state.at(node, own)]
    return blame(stage.trigger, verdict, upstream)


def _written(context: Context, own: RunStatus, *, told: bool) -> RunRecord:
    """Write the record as it stands now, and tell the end, unless it was told.

    It is told in the log once, by the process that ends the run; to observers in each.
    """
    book, pipeline = context.book, context.order.pipeline
    with book.alone():
        record = book.snapshot(own, book.clock.now())
        if book.joins:
            record = _whole(book, pipeline, record)
        else:
            _drop_others(book, record)
        book.database.save_run(record)
        book.write(record)
        if record.ok:
            point_latest(context.stores.runs, book.database, record)
        if not told:
            last = not book.joins or (
                record.ended is not None and not has_finished(book.journal.path)
            )
            book.journal.tell_end(record, record.status if last else own, kept=last)
    return record


def _drop_others(book: Book, record: RunRecord) -> None:
    """Take away what a resumed run has of instances that are no longer in its list of values."""
    dropped = book.database.keep_stages(record.run_id, record.stages)
    kept = set(map(book.folder.stage, record.stages)) if dropped else set()
    for instance_id in dropped:
        folder = book.folder.stage(instance_id)
        if folder.is_dir() and folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _whole(book: Book, pipeline: Pipeline, record: RunRecord) -> RunRecord:
    """The whole run as the database knows it, others' stages included; ended when all have."""
    known = book.database.load_run(record.run_id)
    assert known is not None
    stages = write_uncalled(pipeline, known, book.database)
    status = joined_status(pipeline, stages)
    ended = record.ended if nothing_to_come(pipeline, stages) else None
    return replace(record, stages=stages, status=status, ended=ended)


def write_uncalled(
    pipeline: Pipeline, record: RunRecord, database: Database
) -> dict[str, StageRecord]:
    """Write down the stages that are not to run and that nobody called; gives all stages."""
    stages = with_uncalled(pipeline, record.stages)
    database.drop_stages(record.run_id, record.stages.keys() - stages.keys())
    places = Places(pipeline.stages)
    for name in pipeline.stages:
        fresh = [r for r in stages.values() if r.stage == name and is_inferred(r)]
        for rank, item in enumerate(fresh):
            if record.stages.get(item.id) != item:
                database.save_stage(record.run_id, item, places.entry(name, rank))
    return stages
