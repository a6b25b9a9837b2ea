"""Artifacts that a run takes from elsewhere: from earlier results, or from the run it joins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mlkit.core.graph import ancestors
from mlkit.core.pipeline import ExternalFile, Node, Pipeline, Stage, StageOutput
from mlkit.core.record import ArtifactRecord, RunRecord, StageRecord
from mlkit.core.states import SUCCESSFUL, Status
from mlkit.core.triggers import Verdict, judge
from mlkit.driver.joined import expected_ids, with_uncalled
from mlkit.driver.selecting import Selection
from mlkit.errors import UsageError
from mlkit.load.section import did_you_mean
from mlkit.planner.deciding import Planner
from mlkit.planner.forecast import Forecast, Forecaster
from mlkit.store.artifacts import ArtifactStore
from mlkit.store.folder import RunFolder, readable_os_errors

__all__ = ["artifacts_read", "check_wanted", "forecast_given", "joined_given", "place_given"]


def forecast_given(planner: Planner, selection: Selection) -> dict[str, Forecast]:
    """Find the latest results that can be reused for everything upstream of the selection.

    Raises
    ------
    UsageError
        If an upstream stage has none.
    """
    found = Forecaster(planner, ignore_policy=True).forecast(sorted(selection.upstream))
    needed = _read_by(planner.pipeline, selection.stages)
    for item in found.values():
        if not item.is_known and item.id.partition("[")[0] in needed:
            wanted = ", ".join(sorted(selection.stages))
            raise UsageError(
                f"stage '{item.id}' has no result that can be reused ({'; '.join(item.reasons)})",
                planner.pipeline.file.as_posix(),
                remedy=f"Run 'mlkit run --until {wanted}' first",
            )
    return found


def _read_by(pipeline: Pipeline, names: Iterable[str]) -> set[str]:
    """The stages whose artifacts some stages read, directly or not; mere order is no need."""
    graph = {
        name: tuple(node.stage for node in stage.data_upstream)
        for name, stage in pipeline.stages.items()
    }
    return set(ancestors(graph, names))


def place_given(
    pipeline: Pipeline, forecasts: Mapping[str, Forecast], folder: RunFolder, store: ArtifactStore
) -> dict[str, StageRecord]:
    """Put the artifacts of upstream results where the selected stage can read them.

    A stage that has none, which is upstream by mere order, counts as ended.
    """
    records = {}
    for item in forecasts.values():
        stage = pipeline.stages[item.id.partition("[")[0]]
        if item.skipped:
            records[item.id] = StageRecord(id=item.id, stage=stage.name, status=Status.SKIPPED)
        elif not item.is_known:
            records[item.id] = StageRecord(id=item.id, stage=stage.name, status=Status.CACHED)
        else:
            base = folder.path / ".given" / folder.stage(item.id).name
            artifacts = _placed(stage, item, base, store)
            records[item.id] = StageRecord(
                id=item.id, stage=stage.name, status=Status.CACHED, artifacts=artifacts
            )
    return records


def _placed(
    stage: Stage, item: Forecast, base: Path, store: ArtifactStore
) -> dict[str, ArtifactRecord]:
    artifacts = {}
    with readable_os_errors(base):
        for name, file in stage.outputs.items():
            target, digest = base / file, item.outputs[name]
            target.parent.mkdir(parents=True, exist_ok=True)
            store.place(digest, target)
            artifacts[name] = ArtifactRecord(
                path=str(target), digest=digest, size_bytes=target.stat().st_size
            )
    return artifacts


def joined_given(
    pipeline: Pipeline, record: RunRecord | None, selection: Selection, run_id: str
) -> dict[str, StageRecord]:
    """Take what a run has finished already, and see that the selected stage's inputs are there.

    Raises
    ------
    UsageError
        If an artifact that the selected stage reads was not made in that run.
    """
    stages = {} if record is None else with_uncalled(pipeline, record.stages)
    given = {key: item for key, item in stages.items() if item.stage not in selection.stages}
    for name in selection.stages:
        stage = pipeline.stages[name]
        upstream = [r.status for node in stage.upstream for r in _at(node, given)]
        starts = judge(stage.trigger, upstream) is Verdict.START
        for source in _sources(stage):
            _check(pipeline, source, given, f"stage '{name}' reads {source}", run_id, starts=starts)
    check_wanted(pipeline, selection, given)
    return given


def artifacts_read(
    pipeline: Pipeline, record: RunRecord, selection: Selection
) -> Iterator[ArtifactRecord]:
    """The artifacts of a run that a part of it reads: its inputs, and every list of values."""
    sources = {source for name in selection.stages for source in _sources(pipeline.stages[name])}
    for stage in pipeline.stages.values():
        if stage.foreach is not None and stage.foreach.source is not None:
            sources.add(stage.foreach.source)
    for source in sources:
        for item in _at(source.node, record.stages):
            if source.output in item.artifacts:
                yield item.artifacts[source.output]


def _sources(stage: Stage) -> Iterator[StageOutput]:
    """Every artifact of another stage that a stage or its policies read."""
    for source in stage.inputs.values():
        if not isinstance(source, ExternalFile):
            yield source
    for condition in stage.when:
        yield condition.source
    if stage.foreach is not None and stage.foreach.source is not None:
        yield stage.foreach.source


def _check(
    pipeline: Pipeline,
    source: StageOutput,
    given: Mapping[str, StageRecord],
    reads: str,
    run_id: str,
    *,
    starts: bool,
) -> None:
    node = source.node
    wanted = {str(node)}
    there = {record.id: record.status for record in _at(node, given)}
    if node.value is None and there != {node.stage: Status.SKIPPED}:
        wanted = expected_ids(pipeline.stages[node.stage], given) or wanted
    if node.value is not None and _is_unlisted(pipeline, node, given):
        return
    missing = sorted(wanted - there.keys())
    unfit = [key for key, status in there.items() if not _is_fit(status, starts=starts)]
    if not missing and not unfit:
        return
    which = missing[0] if missing else unfit[0]
    state = "has not run" if missing else f"is {there[which].value}"
    raise UsageError(
        f"{reads}, but in run {run_id} stage '{which}' {state}",
        remedy=f"Run it first: --only '{which}' --run-id {run_id}",
    )


def _is_unlisted(pipeline: Pipeline, node: Node, given: Mapping[str, StageRecord]) -> bool:
    """Whether the list that a stage is mapped over does not have a value; its reader then fails."""
    known = expected_ids(pipeline.stages[node.stage], given)
    return known is not None and known != {node.stage} and str(node) not in known


def _is_fit(status: Status, *, starts: bool) -> bool:
    """Whether an upstream stage of that status lets its reader go on, with or without artifacts."""
    if status in (*SUCCESSFUL, Status.SKIPPED):
        return True
    return starts and status in (Status.FAILED, Status.UPSTREAM_FAILED)


def check_wanted(
    pipeline: Pipeline, selection: Selection, given: Mapping[str, StageRecord]
) -> None:
    """See that the one instance asked for is among those that an artifact lists.

    Raises
    ------
    UsageError
        If it is not.
    """
    if selection.wanted is None:
        return
    for name in selection.stages:
        known = expected_ids(pipeline.stages[name], given)
        if known is not None and known != {name} and selection.wanted not in known:
            raise UsageError(
                f"stage '{name}' has no instance '{selection.wanted}' in this run",
                remedy=did_you_mean(selection.wanted, known),
            )


def _at(node: Node, given: Mapping[str, StageRecord]) -> list[StageRecord]:
    if node.value is not None:
        return [given[str(node)]] if str(node) in given else []
    return [record for record in given.values() if record.stage == node.stage]
