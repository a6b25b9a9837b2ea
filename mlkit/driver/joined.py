"""The state of a run whose stages are run one by one, by an orchestrator's tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlkit.core.graph import edges, topological_order
from mlkit.core.instances import Table
from mlkit.core.pipeline import Instance, Node, Pipeline, Stage, gives_list
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
    found = _Found(pipeline)
    for name in topological_order(edges(pipeline)):
        stage = pipeline.stages[name]
        own = [record for record in stages.values() if record.stage == name]
        known = [r for r in own if not (stage.upstream and is_inferred(r))]
        there = _in_order(stage, known, found)
        found.put(name, there)
        if stage.is_chained:
            found.put(name, _with_uncalled_instances(stage, there, found))
        elif not there and _is_upstream_complete(stage, {}, found):
            found.put(name, _uncalled(stage, found))
    return {record.id: record for name in pipeline.stages for record in found.records[name]}


class _Found:
    """What is known of each stage so far, found by reference."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.records: dict[str, list[StageRecord]] = {}
        self._by_id: dict[str, StageRecord] = {}
        self._tables: dict[str, Table] = {}
        self._expected: dict[str, Table] = {}

    def put(self, name: str, records: list[StageRecord]) -> None:
        """Say what there is of a stage."""
        stage = self.pipeline.stages[name]
        parameters = () if stage.foreach is None else stage.foreach.parameters
        self.records[name] = records
        self._by_id.update({record.id: record for record in records})
        self._tables[name] = Table(name, parameters, [record.id for record in records])

    def at(self, node: Node, own: Mapping[str, str]) -> list[StageRecord]:
        """The records that a reference means for an instance, or a stage as a whole."""
        if node.stage not in self._tables:
            return []
        return [self._by_id[i] for i in self._tables[node.stage].matching(node.wanted(own))]

    def expected(self, stage: Stage, wanted: Mapping[str, str]) -> set[str] | None:
        """The ids of all instances that have some values; None if the list is not known yet."""
        if stage.name not in self._expected:
            known = _expected(stage, self.find)
            if known is None:
                return None
            names = () if stage.foreach is None else stage.foreach.parameters
            self._expected[stage.name] = Table(stage.name, names, sorted(known))
        return set(self._expected[stage.name].matching(wanted))

    def find(self, node: Node, output: str) -> Path | None:
        """The file of an upstream output that is not mapped."""
        made = [r.artifacts[output] for r in self.at(node, {}) if output in r.artifacts]
        return Path(made[0].path) if made else None


def _is_upstream_complete(stage: Stage, own: Mapping[str, str], found: _Found) -> bool:
    """Whether everything that a stage, or one of its instances, refers to is known."""
    stages = found.pipeline.stages
    return all(
        bool(found.at(node, own))
        if own and not gives_list(node, stages)
        else _is_complete(node, found, own)
        for node in stage.upstream
    )


def _with_uncalled_instances(
    stage: Stage, there: list[StageRecord], found: _Found
) -> list[StageRecord]:
    """The records of a chained stage, each instance judged by its own upstream."""
    instances = _listed_instances(stage, found)
    if not instances:
        whole = not there and _is_upstream_complete(stage, {}, found)
        return _uncalled(stage, found) if whole else there
    known = {record.id: record for record in there}
    records = []
    for instance in instances:
        if instance.id in known:
            records.append(known[instance.id])
        elif _is_upstream_complete(stage, instance.labels, found):
            records += _uncalled(stage, found, instance)
    return records


def _in_order(stage: Stage, records: list[StageRecord], found: _Found) -> list[StageRecord]:
    """The records in the order of the list of values, whichever machine told of its own first."""
    if stage.foreach is None or len(records) < 2:
        return records
    place = {item.id: rank for rank, item in enumerate(_listed_instances(stage, found))}
    return sorted(records, key=lambda record: place.get(record.id, len(place)))


def _listed_instances(stage: Stage, found: _Found) -> list[Instance]:
    try:
        return instances_of(stage, found.find)
    except MappingError:
        return []


def is_inferred(record: StageRecord) -> bool:
    """Whether a record says nothing but what can be worked out."""
    said_by_a_notebook = bool(record.history) or record.result is not None
    return record.status in NOT_STARTED.values() and not said_by_a_notebook


def _is_complete(node: Node, found: _Found, own: Mapping[str, str]) -> bool:
    """Whether every instance that a reference means is known, or the stage is not to run."""
    stage, records = found.pipeline.stages[node.stage], found.at(node, own)
    there = {record.id for record in records}
    if not there or (there == {stage.name} and all(map(is_inferred, records))):
        return bool(there)
    expected = found.expected(stage, node.wanted(own))
    return expected is None or expected <= there


def _uncalled(stage: Stage, found: _Found, instance: Instance | None = None) -> list[StageRecord]:
    """The records of what is not to run; none if it is to run, or if that is open."""
    own = {} if instance is None else instance.labels
    ids = _entries(stage) if instance is None else [instance.id]
    upstream = [record for node in stage.upstream for record in found.at(node, own)]
    verdict = judge(stage.trigger, [record.status for record in upstream])
    if verdict is Verdict.START:
        reason = _why_not(stage, found, own)
        return [] if reason is None else _records(stage, ids, Status.SKIPPED, reason, upstream)
    if verdict not in NOT_STARTED:
        return []
    reason = blame(stage.trigger, verdict, upstream)
    return _records(stage, ids, NOT_STARTED[verdict], reason, upstream)


def _entries(stage: Stage) -> list[str]:
    """The instances whose values stand in the file; otherwise the stage's one entry."""
    listed = stage.foreach is None or bool(stage.foreach.size)
    return [i.id for i in instances_of(stage, lambda *_: None)] if listed else [stage.name]


def _records(
    stage: Stage,
    ids: Sequence[str],
    status: Status,
    reason: str,
    upstream: Sequence[StageRecord],
) -> list[StageRecord]:
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


def _why_not(stage: Stage, found: _Found, own: Mapping[str, str]) -> str | None:
    """Say why a stage that its trigger rule lets start is skipped; None if it is not."""
    if any(r.status not in FINISHED for node in stage.data_upstream for r in found.at(node, own)):
        return None
    try:
        unmet = unmet_condition(stage, found.find)
        if unmet is None and stage.foreach is not None and not instances_of(stage, found.find):
            return "the list of values is empty"
    except (ConditionError, MappingError):
        return None
    return unmet


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
    found = _Found(pipeline)
    for name in pipeline.stages:
        found.put(name, [r for r in whole.values() if r.stage == name])
    complete = all(_is_complete(Node(stage=name), found, {}) for name in pipeline.stages)
    return complete and all(item.status in FINISHED for item in whole.values())


def expected_ids(stage: Stage, given: Mapping[str, StageRecord]) -> set[str] | None:
    """The ids of all instances of a stage; None if its values are not known yet."""

    def find(node: Node, output: str) -> Path | None:
        record = given.get(node.stage)
        made = None if record is None else record.artifacts.get(output)
        return None if made is None else Path(made.path)

    return _expected(stage, find)


def _expected(stage: Stage, find: Callable[[Node, str], Path | None]) -> set[str] | None:
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
