"""Instances of known lists that stand as stages of their own, for engines that map as a whole.

An engine's own map waits for whole stages. Where an instance waits for some instances of another
stage only, and the lists are known when the pipeline is exported, each instance becomes a task, and
waits for exactly what it refers to. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from mlkit.core.instances import Table
from mlkit.core.pipeline import (
    Condition,
    Foreach,
    Instance,
    Node,
    Pipeline,
    Source,
    Stage,
    StageOutput,
    gives_list,
)
from mlkit.engines.questions import listed_instances
from mlkit.frozen import dataclass

__all__ = ["Unrolled", "unrolled"]


@dataclass(frozen=True, kw_only=True)
class Unrolled:
    """A pipeline in which the instances of some mapped stages stand as stages of their own.

    Parameters
    ----------
    pipeline : Pipeline
        An instance is a stage without `foreach` that is called `STAGE[VALUE]`, and refers to what
        it waits for by such names. An input that is a list stands there once for each of its
        parts, as `NAME[INSTANCE]`.
    origins : mapping of str to Instance
        The instances, by these names. A list without values gives none: its stage is called by its
        own name, and mlkit skips it.
    """

    pipeline: Pipeline
    origins: Mapping[str, Instance]

    def stage_of(self, name: str) -> str:
        """The stage as pipeline.yaml calls it."""
        return self.origins[name].stage.name if name in self.origins else name


def unrolled(pipeline: Pipeline) -> Unrolled:
    """Let the instances stand alone of which some, but not all, are waited for.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline; without such instances it comes back as it is.
    """
    apart = set(_apart(pipeline))
    if not apart:
        return Unrolled(pipeline=pipeline, origins={})
    instances = {name: listed_instances(pipeline.stages[name]) or [] for name in apart}
    references = _References(pipeline, instances)
    stages: dict[str, Stage] = {}
    origins: dict[str, Instance] = {}
    for name, stage in pipeline.stages.items():
        for instance in instances.get(name, []):
            origins[instance.id] = instance
            stages[instance.id] = references.moved(stage, instance.id, instance.labels)
        if not instances.get(name):
            stages[name] = references.moved(stage, name, _WHOLE)
    return Unrolled(pipeline=replace(pipeline, stages=stages), origins=origins)


_WHOLE: Mapping[str, str] = MappingProxyType({})


def _apart(pipeline: Pipeline) -> Iterator[str]:
    """The stages whose instances are not always waited for together."""
    for stage in pipeline.stages.values():
        for node in stage.upstream:
            over = pipeline.stages[node.stage].foreach
            if not node.picks or over is None or over.size is None:
                continue
            yield node.stage
            if node.is_chained and _is_known(stage.foreach):
                yield stage.name


def _is_known(foreach: Foreach | None) -> bool:
    return foreach is not None and foreach.size is not None


class _References:
    """Finds what a reference means among instances that stand alone."""

    def __init__(self, pipeline: Pipeline, instances: Mapping[str, list[Instance]]) -> None:
        self.stages = pipeline.stages
        self.tables: dict[str, Table] = {}
        for name, known in instances.items():
            foreach = pipeline.stages[name].foreach
            assert foreach is not None
            ids = [instance.id for instance in known] or [name]
            self.tables[name] = Table(name, foreach.parameters, ids)

    def moved(self, stage: Stage, name: str, own: Mapping[str, str]) -> Stage:
        """A stage, or one of its instances, under a name and with what it then refers to."""
        alone = stage.name in self.tables
        return replace(
            stage,
            name=name,
            foreach=None if alone else self._foreach(stage.foreach),
            inputs=dict(self._inputs(stage.inputs, own)),
            after=tuple(self._nodes(stage.after, own)),
            when=tuple(self._condition(item, own) for item in stage.when),
        )

    def _nodes(self, nodes: Iterable[Node], own: Mapping[str, str]) -> Iterator[Node]:
        for node in nodes:
            if node.stage not in self.tables:
                yield node
            else:
                found = self.tables[node.stage].matching(node.wanted(own))
                yield from (Node(stage=name) for name in found)

    def _inputs(
        self, inputs: Mapping[str, Source], own: Mapping[str, str]
    ) -> Iterator[tuple[str, Source]]:
        for name, source in inputs.items():
            if not isinstance(source, StageOutput) or source.node.stage not in self.tables:
                yield name, source
                continue
            parts = [replace(source, node=node) for node in self._nodes([source.node], own)]
            is_list = gives_list(source.node, self.stages)
            for part in parts:
                yield (f"{name}[{part.node}]" if is_list else name), part

    def _condition(self, condition: Condition, own: Mapping[str, str]) -> Condition:
        return replace(condition, source=self._output(condition.source, own))

    def _foreach(self, foreach: Foreach | None) -> Foreach | None:
        if foreach is None:
            return None
        axes = tuple(
            axis if axis.source is None else replace(axis, source=self._output(axis.source, _WHOLE))
            for axis in foreach.axes
        )
        return replace(foreach, axes=axes)

    def _output(self, source: StageOutput, own: Mapping[str, str]) -> StageOutput:
        (node,) = self._nodes([source.node], own)
        return replace(source, node=node)
