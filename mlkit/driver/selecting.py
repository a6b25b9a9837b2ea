"""Which stages a run is to end, and what it takes from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from mlkit.core.graph import ancestors, edges
from mlkit.core.instances import instance_id, labels_of, split_id, trouble_with_brackets
from mlkit.core.pipeline import Node, Pipeline, Stage
from mlkit.core.policies import Retry
from mlkit.core.subsets import EVERYTHING, Subset, is_in, needed, overlap, subset_of
from mlkit.driver.options import RunOptions
from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.load.brackets import BracketError, with_picks
from mlkit.load.section import did_you_mean

__all__ = ["Selection", "meant", "select", "without_retries"]


_WAYS = ("only", "until", "before")
"""The options that choose a part."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a run is to do.

    Parameters
    ----------
    stages : frozenset of str
        The stages to be ended.
    wanted : str, optional
        The one instance that is asked for, by its id, or `STAGE[VALUE,*]` for several.
    upstream : frozenset of str
        Stages that are not run but whose artifacts are needed.
    parts : mapping of str to Subset
        Of mapped stages, selected or upstream, the instances that count.
    """

    stages: frozenset[str]
    wanted: str | None = None
    upstream: frozenset[str] = field(default=frozenset())
    parts: Mapping[str, Subset] = field(default_factory=dict)

    def is_complete(self, pipeline: Pipeline) -> bool:
        """Whether it is the whole pipeline."""
        return self.stages == set(pipeline.stages) and self.wanted is None

    def has(self, stage: str, labels: Mapping[str, str]) -> bool:
        """Whether an instance, by its values, is one of those that count."""
        return is_in(self.parts.get(stage, EVERYTHING), labels)

    def has_id(self, stage: Stage, instance: str) -> bool:
        """Whether an instance, by its id, is one of those that count."""
        if stage.name not in self.parts:
            return True
        names = () if stage.foreach is None else stage.foreach.parameters
        return self.has(stage.name, dict(zip(names, labels_of(instance), strict=False)))


def select(pipeline: Pipeline, options: RunOptions) -> Selection:
    """Turn `--until`, `--before` and `--only` into a selection.

    Raises
    ------
    UsageError
        If they name a stage or value that does not exist, or `--force` one that is not run.
    """
    selection = _selection(pipeline, options)
    if isinstance(options.force, frozenset):
        for name in sorted(options.force):
            _check_forced(meant(pipeline, name), name, selection, options)
    return selection


def _check_forced(node: Node, text: str, selection: Selection, options: RunOptions) -> None:
    """Refuse to force what is not run: that it had run again would be believed.

    A task of an engine is handed the options of the whole run.
    """
    part = selection.parts.get(node.stage, EVERYTHING)
    if options.run_id is not None:
        return
    if node.stage not in selection.stages or not overlap(part, subset_of(node)):
        given = next(n for n in _WAYS if getattr(options, n) is not None)
        raise UsageError(
            f"--force {text}: '{text}' is not among what --{given} {getattr(options, given)} runs",
            remedy=f"Leave --{given} away, or name with it a stage that needs '{text}'",
            code="E102",
        )


def _selection(pipeline: Pipeline, options: RunOptions) -> Selection:
    graph = edges(pipeline)
    given = [n for n in _WAYS if getattr(options, n) is not None]
    if len(given) > 1:
        raise UsageError(
            f"--{given[0]} and --{given[1]} exclude each other",
            remedy="Give one of them",
            code="E102",
        )
    if options.run_id is not None and options.only is None:
        raise UsageError(
            "--run-id goes with --only", remedy="Name the stage: --only STAGE", code="E102"
        )
    asked = None if not given else getattr(options, given[0])
    if asked is None:
        return Selection(stages=frozenset(pipeline.stages))
    node = meant(pipeline, asked)
    whole = _whole(pipeline, node)
    if options.run_id is not None and node.value is not None and whole is None:
        raise UsageError(
            f"--run-id joins with one instance, and '{asked}' means several",
            remedy="Call for each of them, or leave --run-id away",
            code="E102",
        )
    start = {node.stage: subset_of(node)}
    parts = {n: p for n, p in needed(pipeline.stages, start).items() if p != EVERYTHING}
    above = ancestors(graph, [node.stage])
    if options.before is not None:
        if not above:
            raise UsageError(
                f"nothing is upstream of '{node.stage}'",
                remedy=f"Run it: --until {node.stage}",
                code="E102",
            )
        return Selection(stages=above, parts={n: p for n, p in parts.items() if n in above})
    wanted = (whole or asked) if node.picks else None
    if options.until is not None:
        return Selection(stages=above | {node.stage}, wanted=wanted, parts=parts)
    return Selection(stages=frozenset({node.stage}), wanted=wanted, upstream=above, parts=parts)


def meant(pipeline: Pipeline, text: str) -> Node:
    """Read how a stage, or part of one, is named on a command line.

    Raises
    ------
    UsageError
        If there is no such stage, or its brackets mean nothing.
    """
    trouble = trouble_with_brackets(text)
    if trouble is not None:
        raise UsageError(
            f"'{text}' names no stage: {trouble}",
            remedy="Write STAGE, or STAGE[VALUE] of a mapped one",
            code="E101",
        )
    name, inside = split_id(text)
    stage = pipeline.stages.get(name)
    if stage is None:
        raise UsageError(
            f"there is no stage '{name}' in {pipeline.name}",
            pipeline.file.as_posix(),
            remedy=did_you_mean(name, pipeline.stages),
            code="E101",
        )
    try:
        return with_picks(Node(stage=name, value=inside), None, pipeline.stages)
    except BracketError as error:
        raise UsageError(f"'{text}': {error.fact}", remedy=error.remedy) from None


def _whole(pipeline: Pipeline, node: Node) -> str | None:
    """The id of the one instance that a reference means; None if there may be several."""
    foreach = pipeline.stages[node.stage].foreach
    if foreach is None or len(node.picks) < len(foreach.axes):
        return None
    said = {pick.parameter: pick.value or "" for pick in node.picks}
    return instance_id(node.stage, [said[name] for name in foreach.parameters])


def without_retries(pipeline: Pipeline, selection: Selection) -> Pipeline:
    """Leave the retries of selected stages to the orchestrator that calls."""
    stages = dict(pipeline.stages)
    for name in selection.stages:
        stages[name] = replace(stages[name], retry=Retry())
    return replace(pipeline, stages=stages)
