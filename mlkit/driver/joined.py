"""The status of a run whose stages are run one by one, by an orchestrator's tasks."""

from __future__ import annotations

from collections.abc import Mapping

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.record import StageRecord
from mlkit.core.states import FINISHED, RunStatus, Status
from mlkit.core.triggers import Verdict, judge
from mlkit.driver.given import expected_ids

__all__ = ["joined_status"]

_VIRTUAL = {Verdict.SKIP: Status.SKIPPED, Verdict.UPSTREAM_FAILED: Status.UPSTREAM_FAILED}


def joined_status(pipeline: Pipeline, stages: Mapping[str, StageRecord]) -> RunStatus:
    """Say how a run stands whose stages come from many processes. Pure.

    An orchestrator does not call mlkit for stages that it skips because of their upstream; they
    count as ended where their trigger rule says the same.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    stages : mapping of str to StageRecord
        What the database knows of the run.

    Returns
    -------
    RunStatus
        `failed` as soon as a critical stage has failed; `running` while something is to come.
    """
    if any(item.status is Status.FAILED and item.critical for item in stages.values()):
        return RunStatus.FAILED
    found: dict[str, list[Status]] = {}
    for name in topological_order(edges(pipeline)):
        found[name] = _statuses(pipeline.stages[name], stages, found)
        if not found[name] or not FINISHED.issuperset(found[name]):
            return RunStatus.RUNNING
    return RunStatus.SUCCEEDED


def _statuses(
    stage: Stage, stages: Mapping[str, StageRecord], found: Mapping[str, list[Status]]
) -> list[Status]:
    """The states of a stage's instances; empty while some are to come."""
    there = {item.id: item.status for item in stages.values() if item.stage == stage.name}
    ids = expected_ids(stage, stages)
    if there and (ids is None or ids <= there.keys()):
        return list(there.values())
    if there:
        return []
    upstream = [status for node in stage.upstream for status in found[node.stage]]
    verdict = judge(stage.trigger, upstream)
    return [_VIRTUAL[verdict]] if verdict in _VIRTUAL else []
