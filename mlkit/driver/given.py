"""Artifacts that a run takes from elsewhere: from earlier results, or from the run it joins."""

from __future__ import annotations

from collections.abc import Mapping

from mlkit.core.pipeline import ExternalFile, Node, Pipeline, StageOutput
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import SUCCESSFUL, Status
from mlkit.driver.commit import Committer
from mlkit.driver.selecting import Selection
from mlkit.errors import UsageError
from mlkit.planner.deciding import Planner
from mlkit.planner.forecast import Forecast, Forecaster

__all__ = ["forecast_given", "joined_given", "place_given"]


def forecast_given(planner: Planner, selection: Selection) -> dict[str, Forecast]:
    """Find the latest results that can be reused for everything upstream of the selection.

    Raises
    ------
    UsageError
        If an upstream stage has none.
    """
    found = Forecaster(planner, ignore_policy=True).forecast(sorted(selection.upstream))
    for item in found.values():
        if not item.is_known:
            wanted = ", ".join(sorted(selection.stages))
            raise UsageError(
                f"stage '{item.id}' has no result that can be reused ({'; '.join(item.reasons)})",
                planner.pipeline.file.as_posix(),
                remedy=f"Run 'mlkit run --until {wanted}' first",
            )
    return found


def place_given(
    pipeline: Pipeline, forecasts: Mapping[str, Forecast], committer: Committer
) -> dict[str, StageRecord]:
    """Put the artifacts of upstream results where the selected stage can read them."""
    records = {}
    for item in forecasts.values():
        stage = pipeline.stages[item.id.partition("[")[0]]
        if item.skipped:
            records[item.id] = StageRecord(id=item.id, stage=stage.name, status=Status.SKIPPED)
        else:
            records[item.id] = committer.given(item.id, stage.outputs, item.outputs)
    return records


def joined_given(
    pipeline: Pipeline, record: RunRecord | None, selection: Selection, run_id: str
) -> dict[str, StageRecord]:
    """Take what a run has finished already, and see that the selected stage's inputs are there.

    Raises
    ------
    UsageError
        If an artifact that the selected stage reads was not made in that run.
    """
    stages = {} if record is None else dict(record.stages)
    given = {key: item for key, item in stages.items() if item.stage not in selection.stages}
    for name in selection.stages:
        stage = pipeline.stages[name]
        sources = [
            source for source in stage.inputs.values() if not isinstance(source, ExternalFile)
        ]
        sources += [condition.source for condition in stage.when]
        if stage.foreach is not None and stage.foreach.source is not None:
            sources.append(stage.foreach.source)
        for source in sources:
            _check(source, given, run_id, name)
    return given


def _check(source: StageOutput, given: Mapping[str, StageRecord], run_id: str, reader: str) -> None:
    records = _at(source.node, given)
    unfinished = [r for r in records if r.status not in (*SUCCESSFUL, Status.SKIPPED)]
    if not records or unfinished:
        state = "has not run" if not records else f"is {unfinished[0].status.value}"
        raise UsageError(
            f"stage '{reader}' reads {source}, but in run {run_id} stage '{source.node}' {state}",
            remedy=f"Run it first: --only '{source.node}' --run-id {run_id}",
        )


def _at(node: Node, given: Mapping[str, StageRecord]) -> list[StageRecord]:
    if node.value is not None:
        return [given[str(node)]] if str(node) in given else []
    return [record for record in given.values() if record.stage == node.stage]
