"""Artifacts that a run takes from elsewhere: from earlier results, or from the run it joins."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.core.graph import ancestors
from mlkit.core.instances import Table, instance_id, labels_of, stage_of
from mlkit.core.pipeline import Node, Pipeline, Stage, StageOutput
from mlkit.core.record import ArtifactRecord, RunRecord, StageRecord
from mlkit.core.states import FINISHED, SUCCESSFUL, Status
from mlkit.core.triggers import Verdict, judge
from mlkit.core.values import decode, shown
from mlkit.driver.joined import expected_ids, with_uncalled
from mlkit.driver.order import Order
from mlkit.driver.selecting import Selection
from mlkit.engines.commands import parameter_words
from mlkit.errors import UsageError
from mlkit.load.merging import is_secret
from mlkit.load.section import did_you_mean
from mlkit.planner.deciding import Planner
from mlkit.store.artifact_store import ArtifactStore
from mlkit.store.folder import RunFolder, readable_os_errors

if TYPE_CHECKING:
    from mlkit.planner.forecast import Forecast

__all__ = [
    "artifacts_read",
    "check_wanted",
    "forecast_given",
    "joined_given",
    "place_given",
    "refuse_other_parameters",
]


def forecast_given(planner: Planner, selection: Selection) -> dict[str, Forecast]:
    """Find the latest results that can be reused for everything upstream of the selection.

    Raises
    ------
    UsageError
        If an upstream stage has none.
    """
    # Whole runs look up nothing beforehand.
    from mlkit.planner.forecast import Forecaster

    found = Forecaster(planner, ignore_policy=True).forecast(sorted(selection.upstream))
    stages = planner.pipeline.stages
    found = {k: f for k, f in found.items() if selection.has_id(stages[stage_of(k)], k)}
    needed = _read_by(planner.pipeline, selection.stages)
    for item in found.values():
        if not item.is_known and stage_of(item.id) in needed:
            words = ["--until", selection.wanted or next(iter(selection.stages))]
            words += _same_values(planner)
            wanted = shlex.join(["mlkit", "run", *words])
            mark = '"' if "'" in wanted else "'"
            raise UsageError(
                f"stage '{item.id}' has no result that can be reused ({'; '.join(item.reasons)})",
                planner.pipeline.file.as_posix(),
                remedy=f"Run {mark}{wanted}{mark} first",
                code="E104",
            )
    return found


def _same_values(planner: Planner) -> list[str]:
    """The words that give another command the values of this one: without them it makes others."""
    profile = planner.pipeline.profile
    values = _decoded(planner.configuration.overrides)
    return [
        *([] if profile is None else ["--profile", profile.name]),
        *parameter_words(values),
    ]


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
        stage = pipeline.stages[stage_of(item.id)]
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
        for name, output in stage.outputs.items():
            if name not in item.outputs:  # it may be missing, and was
                continue
            target, digest = base / output.path, item.outputs[name]
            target.parent.mkdir(parents=True, exist_ok=True)
            store.place(digest, target)
            artifacts[name] = ArtifactRecord(
                path=str(target), digest=digest, size_bytes=store.size_bytes(digest)
            )
    return artifacts


def refuse_other_parameters(record: RunRecord | None, order: Order) -> None:
    """Refuse to go on with a run by parameters that it did not begin with.

    The record would show the values of the first call for all. What only this call has a name for
    contradicts nothing; and the record shows no secret, and none counts for a result.

    Raises
    ------
    UsageError
        If a parameter has another value.
    """
    if record is None:
        return
    given = order.configuration.overrides
    mine = order.scrubber.members({**order.configuration.shown(), **_decoded(given)})
    began = {**record.parameters, **_decoded(record.options.get("overrides", {}))}
    for name in given:
        if name in began and name in mine and not is_secret(order.pipeline, name):
            before, now = f"{name}={shown(began[name])}", f"{name}={shown(mine[name])}"
            if before != now:
                raise UsageError(
                    f"run {record.run_id} began with {before}, and this call has {now}",
                    remedy="Give every call of a run the same parameters, or another --run-id",
                    code="E102",
                )


def _decoded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decode(value) for name, value in values.items()}


def joined_given(
    pipeline: Pipeline, record: RunRecord | None, selection: Selection, run_id: str
) -> dict[str, StageRecord]:
    """Take what a run has finished already, and see that the selected stage's inputs are there.

    What it only comes after may not have begun there: that waits, and the trigger rule says whether
    the stage does.

    Raises
    ------
    UsageError
        If an artifact that the selected stage reads was not made in that run, or if its trigger
        rule has it wait for a stage that has not begun.
    """
    stages = {} if record is None else with_uncalled(pipeline, record.stages)
    given = {key: item for key, item in stages.items() if item.stage not in selection.stages}
    waiting: dict[str, StageRecord] = {}
    for name in selection.stages:
        stage = pipeline.stages[name]
        for own in _readers(stage, given, selection):
            unbegun = _unbegun(pipeline, stage, given, own)
            waiting |= unbegun
            known = {**given, **unbegun}
            upstream = [r for node in stage.upstream for r in _at(pipeline, node, known, own)]
            verdict = judge(stage.trigger, [r.status for r in upstream])
            # a stage that is skipped reads nothing, and is as little to be made up for
            decided = verdict in (Verdict.START, Verdict.SKIP)
            for source in _sources(stage):
                reads = f"stage '{name}' reads {source}"
                _check(pipeline, source, given, own, reads, run_id, decided=decided)
            if verdict is Verdict.WAIT:
                first = next(r for r in upstream if r.status not in FINISHED)
                state = "has not run" if first.id in unbegun else f"is {first.status.value}"
                raise _not_yet(f"stage '{name}' comes after {first.id}", first.id, state, run_id)
    check_wanted(pipeline, selection, given)
    return {**given, **waiting}


def _unbegun(
    pipeline: Pipeline, stage: Stage, given: Mapping[str, StageRecord], own: Mapping[str, str]
) -> dict[str, StageRecord]:
    """Waiting records of what a stage comes after without reading it, and that has not begun."""
    found = {}
    for node in stage.upstream:
        there = {record.id for record in _at(pipeline, node, given, own)}
        if node in stage.data_upstream or node.stage in there:  # as a whole: no instance is to come
            continue
        for key in sorted(_meant(pipeline, node, given, own) - there):
            found[key] = StageRecord(id=key, stage=node.stage, status=Status.WAITING)
    return found


def _readers(
    stage: Stage, given: Mapping[str, StageRecord], selection: Selection
) -> list[dict[str, str]]:
    """The values of the instances that are to run, where it matters which ones these are."""
    if not stage.is_chained or stage.foreach is None:
        return [{}]
    known = [] if selection.wanted is None else [selection.wanted]
    known = known or sorted(expected_ids(stage, given) or ())
    names = stage.foreach.parameters
    return [dict(zip(names, labels_of(key), strict=False)) for key in known] or [{}]


def artifacts_read(
    pipeline: Pipeline, record: RunRecord, selection: Selection
) -> Iterator[ArtifactRecord]:
    """The artifacts of a run that a part of it reads: its inputs, and every list of values."""
    sources = {source for name in selection.stages for source in _sources(pipeline.stages[name])}
    for stage in pipeline.stages.values():
        sources |= set(() if stage.foreach is None else stage.foreach.sources)
    for source in sources:
        for item in _at(pipeline, source.node, record.stages, {}):
            if source.output in item.artifacts:
                yield item.artifacts[source.output]


def _sources(stage: Stage) -> Iterator[StageOutput]:
    """Every artifact of another stage that a stage or its policies read."""
    for source in stage.inputs.values():
        if isinstance(source, StageOutput):
            yield source
    for condition in stage.when:
        yield condition.source
    yield from () if stage.foreach is None else stage.foreach.sources


def _check(
    pipeline: Pipeline,
    source: StageOutput,
    given: Mapping[str, StageRecord],
    own: Mapping[str, str],
    reads: str,
    run_id: str,
    *,
    decided: bool,
) -> None:
    node = source.node
    there = {record.id: record.status for record in _at(pipeline, node, given, own)}
    wanted = {node.stage}
    if there != {node.stage: Status.SKIPPED}:
        wanted = _meant(pipeline, node, given, own)
    if not wanted:
        return  # the list does not have the value; the reader then fails
    missing = sorted(wanted - there.keys())
    unfit = [key for key, status in there.items() if not _is_fit(status, decided=decided)]
    if not missing and not unfit:
        return
    which = missing[0] if missing else unfit[0]
    state = "has not run" if missing else f"is {there[which].value}"
    raise _not_yet(reads, which, state, run_id)


def _not_yet(needs: str, which: str, state: str, run_id: str) -> UsageError:
    return UsageError(
        f"{needs}, but in run {run_id} stage '{which}' {state}",
        remedy=f"Run it first: --only '{which}' --run-id {run_id}",
        code="E104",
    )


def _meant(
    pipeline: Pipeline, node: Node, given: Mapping[str, StageRecord], own: Mapping[str, str]
) -> set[str]:
    """The ids of all instances that a reference means; none if the list has no such value."""
    stage = pipeline.stages[node.stage]
    known = expected_ids(stage, given)
    if known is None:
        return _said(stage, node, own)
    return set(_table(stage, sorted(known)).matching(node.wanted(own)))


def _said(stage: Stage, node: Node, own: Mapping[str, str]) -> set[str]:
    """The one instance that a reference names, or the stage, where the list is not known."""
    values, names = node.wanted(own), () if stage.foreach is None else stage.foreach.parameters
    if not names or len(values) < len(names):
        return {stage.name}
    return {instance_id(stage.name, [values[name] for name in names])}


def _is_fit(status: Status, *, decided: bool) -> bool:
    """Whether an upstream stage of that status lets its reader go on, with or without artifacts.

    `decided` says that the reader's trigger rule has it start, or has it skipped, all the same.
    """
    if status in (*SUCCESSFUL, Status.SKIPPED):
        return True
    return decided and status in (Status.FAILED, Status.UPSTREAM_FAILED)


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
        stage = pipeline.stages[name]
        known = expected_ids(stage, given)
        if known is None or known == {name}:
            continue
        if not any(selection.has_id(stage, key) for key in known):
            raise UsageError(
                f"stage '{name}' has no instance '{selection.wanted}' in this run",
                remedy=did_you_mean(selection.wanted, known),
                code="E101",
            )


def _at(
    pipeline: Pipeline, node: Node, given: Mapping[str, StageRecord], own: Mapping[str, str]
) -> list[StageRecord]:
    ids = [key for key, record in given.items() if record.stage == node.stage]
    found = _table(pipeline.stages[node.stage], ids).matching(node.wanted(own))
    return [given[key] for key in found]


def _table(stage: Stage, ids: list[str]) -> Table:
    return Table(stage.name, () if stage.foreach is None else stage.foreach.parameters, ids)
