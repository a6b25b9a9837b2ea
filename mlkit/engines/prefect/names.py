"""Which Python names the stages and parameters of a pipeline have in a flow."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Node, Pipeline, Stage
from mlkit.core.types import TypeSpec
from mlkit.core.values import label

__all__ = [
    "FlowNames",
    "StageNames",
    "flow_names",
    "flow_order",
    "parameter_specs",
    "static_labels",
]

_IMPORTED = """artifact early flow given held_back is_retryable labels main outcome picked same
skipped task tell unmapped Pipeline Run NO_CACHE date datetime"""
_LOCAL = "PIPELINE COMMON ended found logical_date run run_id upstream value"
_BUILTIN = "bool float int list dict str"
RESERVED = frozenset(f"{_IMPORTED} {_LOCAL} {_BUILTIN}".split())


class Names:
    """Hands out Python names, each once.

    Parameters
    ----------
    taken : iterable of str
        Names that mean something already.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def new(self, wish: str) -> str:
        """Give a name as close to a wish as Python and the names already given allow."""
        name = re.sub(r"\W", "_", wish.lower()) or "_"
        name = f"_{name}" if name[0].isdigit() else name
        while keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


@dataclass(frozen=True, kw_only=True)
class StageNames:
    """The names of one stage in the flow.

    Parameters
    ----------
    key : str
        Under which others find it in their `upstream`.
    task : str
        The task's function.
    future : str
        The future, or the list of futures of a mapped stage.
    values : str
        The values of a mapped stage whose values stand in an artifact.
    waiting : str
        The function of the task that waits for its file.
    arrival : str
        The future of that task.
    """

    key: str
    task: str
    future: str
    values: str
    waiting: str
    arrival: str


@dataclass(frozen=True, kw_only=True)
class FlowNames:
    """All names of a flow."""

    flow: str
    stages: Mapping[str, StageNames]

    def key(self, node: Node) -> str:
        """Under which name a task finds an upstream node."""
        own = self.stages[node.stage].key
        return own if node.value is None else Names().new(f"{own}_{node.value}")


def parameter_specs(
    pipeline: Pipeline, given: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, TypeSpec | None]:
    """The pipeline's parameters that a flow can have, each with the type that its stages declare.

    A secret is none of them: Prefect keeps and shows what a flow is given. Nor is one whose value
    mlkit takes from the environment. None stands for a type on which the stages do not agree.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    given : mapping of str to object
        Values given in place of the pipeline's own.
    """
    found: dict[str, TypeSpec | None] = {}
    for name, default in pipeline.parameters.items():
        if not name.isidentifier() or keyword.iskeyword(name):
            continue
        if name not in given and "${" in repr(default):
            continue
        specs = [
            stage.configurable[name].spec
            for stage in pipeline.stages.values()
            if name in stage.configurable
        ]
        if not any(spec.is_secret for spec in specs):
            found[name] = specs[0] if len(set(map(str, specs))) == 1 else None
    return found


def flow_names(pipeline: Pipeline, parameters: Iterable[str]) -> FlowNames:
    """Give every stage its names; a parameter keeps its own, whatever else is called so."""
    names = Names([*RESERVED, *parameters])
    flow = names.new(pipeline.name)
    keys = Names()
    stages = {}
    for name, stage in pipeline.stages.items():
        task = names.new(name)
        stages[name] = StageNames(
            key=keys.new(name),
            task=task,
            future=names.new(f"{task}_runs" if stage.foreach else f"{task}_run"),
            values=names.new(f"{task}_values"),
            waiting=names.new(f"wait_for_{task}"),
            arrival=names.new(f"{task}_arrival"),
        )
    return FlowNames(flow=flow, stages=stages)


def flow_order(pipeline: Pipeline) -> list[Stage]:
    """The order in which a flow submits its stages.

    A flow stands still while it reads the values of a mapped stage; what does not need that stage
    is submitted before.
    """
    stands_still: dict[str, int] = {}
    order = topological_order(edges(pipeline))
    for name in order:
        stage = pipeline.stages[name]
        waits = stage.foreach is not None and stage.foreach.source is not None
        before = [stands_still[node.stage] for node in stage.upstream]
        stands_still[name] = max(before, default=0) + waits
    return [pipeline.stages[name] for name in sorted(order, key=stands_still.__getitem__)]


def static_labels(stage: Stage) -> list[str] | None:
    """The labels of a mapped stage's values; None if they stand in an artifact."""
    assert stage.foreach is not None
    return None if stage.foreach.values is None else list(map(label, stage.foreach.values))
