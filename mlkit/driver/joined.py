"""The state of a run whose stages are run one by one, by an orchestrator's tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Node, Pipeline, Stage
from mlkit.core.policies import Retry, is_retryable
from mlkit.core.record import StageRecord
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.core.triggers import NOT_STARTED, Verdict, blame, judge
from mlkit.planner.conditions import ConditionError, unmet_condition
from mlkit.planner.mapping import MappingError, instances_of

__all__ = [
    "expected_ids",
    "is_inferred",
    "joined_status",
    "may_retry",
    "nothing_to_come",
    "with_uncalled",
]

_Found = Mapping[str, list[StageRecord]]


def with_uncalled(pipeline: Pipeline, stages: Mapping[str, StageRecord]) -> dict[str, StageRecord]:
    """Add the stages that an orchestrator will not call, because they are not to run.

    Which ones these are follows from the trigger rules, from the conditions, and from lists of
    values that are empty. It is worked out anew each time, and what was worked out before is
    forgotten: a stage that failed may succeed at its next attempt.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    stages : mapping of str to StageRecord
        What the database knows of the run.

    Returns
    -------
    dict of str to StageRecord
        By instance id, in the order of the pipeline.
    """
    found: dict[str, list[StageRecord]] = {}
    for name in topological_order(edges(pipeline)):
        stage = pipeline.stages[name]
        own = [record for record in stages.values() if record.stage == name]
        there = [r for r in own if not (stage.upstream and is_inferred(r))]
        known = all(_is_complete(pipeline.stages[n.stage], found) for n in stage.upstream)
        found[name] = there or (_uncalled(stage, found) if known else [])
    return {record.id: record for name in pipeline.stages for record in found[name]}


def is_inferred(record: StageRecord) -> bool:
    """Whether a record says nothing but what can be worked out."""
    said_by_a_notebook = bool(record.history) or record.result is not None
    return record.status in NOT_STARTED.values() and not said_by_a_notebook


def _is_complete(stage: Stage, found: _Found) -> bool:
    """Whether every instance of a stage is known, or the stage is not to run."""
    there = {record.id for record in found[stage.name]}
    if not there or all(is_inferred(record) for record in found[stage.name]):
        return bool(there)
    wanted = expected_ids(stage, {r.id: r for records in found.values() for r in records})
    return wanted is None or wanted <= there


def _uncalled(stage: Stage, found: _Found) -> list[StageRecord]:
    """The records of a stage that is not to run; none if it is to run, or if that is open."""
    upstream = [record for node in stage.upstream for record in _at(node, found)]
    verdict = judge(stage.trigger, [record.status for record in upstream])
    if verdict is Verdict.START:
        reason = _why_not(stage, found)
        return [] if reason is None else _records(stage, Status.SKIPPED, reason, upstream)
    if verdict not in NOT_STARTED:
        return []
    reason = blame(stage.trigger, verdict, upstream)
    return _records(stage, NOT_STARTED[verdict], reason, upstream)


def _records(
    stage: Stage, status: Status, reason: str, upstream: Sequence[StageRecord]
) -> list[StageRecord]:
    listed = stage.foreach is None or bool(stage.foreach.values)
    ids = [i.id for i in instances_of(stage, lambda *_: None)] if listed else [stage.name]
    ended = max((r.ended for r in upstream if r.ended is not None), default=None)
    return [
        StageRecord(
            id=key,
            stage=stage.name,
            status=status,
            reason=reason,
            ended=ended,
            critical=stage.critical,
        )
        for key in ids
    ]


def _why_not(stage: Stage, found: _Found) -> str | None:
    """Say why a stage that its trigger rule lets start is skipped; None if it is not."""
    if any(r.status not in FINISHED for node in stage.data_upstream for r in _at(node, found)):
        return None

    def find(node: Node, output: str) -> Path | None:
        made = [r.artifacts[output] for r in _at(node, found) if output in r.artifacts]
        return Path(made[0].path) if made else None

    try:
        unmet = unmet_condition(stage, find)
        if unmet is None and stage.foreach is not None and not instances_of(stage, find):
            return "the list of values is empty"
    except (ConditionError, MappingError):
        return None
    return unmet


def _at(node: Node, found: _Found) -> list[StageRecord]:
    """The records that a reference means: all instances, or one."""
    records = found.get(node.stage, [])
    if node.value is None:
        return records
    exact = [record for record in records if record.id == str(node)]
    return exact or [record for record in records if record.id == node.stage]


def joined_status(pipeline: Pipeline, stages: Mapping[str, StageRecord]) -> RunStatus:
    """Say how a run stands whose stages come from many processes.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    stages : mapping of str to StageRecord
        What is known of the run.

    Returns
    -------
    RunStatus
        `failed` as soon as a critical stage has failed; `running` while something is to come.
    """
    if any(item.status is Status.FAILED and item.critical for item in stages.values()):
        return RunStatus.FAILED
    if not nothing_to_come(pipeline, stages):
        return RunStatus.RUNNING
    cancelled = any(item.status is Status.CANCELLED for item in stages.values())
    return RunStatus.CANCELLED if cancelled else RunStatus.SUCCEEDED


def nothing_to_come(pipeline: Pipeline, stages: Mapping[str, StageRecord]) -> bool:
    """Whether every stage has ended, or is not to run."""
    whole = with_uncalled(pipeline, stages)
    found = {n: [r for r in whole.values() if r.stage == n] for n in pipeline.stages}
    complete = all(_is_complete(stage, found) for stage in pipeline.stages.values())
    return complete and all(item.status in FINISHED for item in whole.values())


def expected_ids(stage: Stage, given: Mapping[str, StageRecord]) -> set[str] | None:
    """The ids of all instances of a stage; None if its values are not known yet."""

    def find(node: Node, output: str) -> Path | None:
        records = [r for r in given.values() if r.stage == node.stage]
        for record in _at(node, {node.stage: records}):
            if output in record.artifacts:
                return Path(record.artifacts[output].path)
        return None

    try:
        return {instance.id for instance in instances_of(stage, find)} or {stage.name}
    except MappingError:
        return None


def may_retry(stage: StageRecord, retry: Retry) -> bool:
    """Say whether a failed stage may be tried again, however often it has been tried.

    Only what an attempt raised may; a sensor that found nothing or an input that is missing would
    not pass by another attempt.
    """
    if stage.error is None or not stage.history or stage.history[-1].error != stage.error:
        return False
    return is_retryable(retry, stage.error.bases)
