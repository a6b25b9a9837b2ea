"""Which Python names the stages and parameters of a pipeline have in a flow."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.types import TypeSpec
from mlkit.engines.carrying import identifiers
from mlkit.engines.naming import FreeNames
from mlkit.engines.questions import shown_parameters
from mlkit.frozen import dataclass

__all__ = [
    "IMPORTS",
    "FlowNames",
    "StageNames",
    "flow_names",
    "flow_order",
    "parameter_specs",
    "shown_name",
]

IMPORTS = """
from datetime import date, datetime
from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from mlkit_stages import Pipeline, Run, is_retryable, main, outcome, tell
from mlkit_upstream import NO_VALUE, artifact, early, given, held_back, labels, picked, same
from mlkit_upstream import skipped
"""
"""What a flow may import; the last two modules stand beside it."""

_FLOWS_OWN = identifiers([IMPORTS]) | {"run"}
"""What the flow's function calls; a parameter of that name would hide it."""

_TASKS_OWN = {"ended", "found", "logical_date", "run_id", "upstream", "value"}


@dataclass(frozen=True, kw_only=True)
class StageNames:
    """The names of one stage in the flow.

    Parameters
    ----------
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


def shown_name(pipeline: Pipeline) -> str:
    """What Prefect calls the flow and its deployment; it takes none of `/`, `%`, `&`, `<`, `>`."""
    return re.sub(r"[/%&<>]", "-", pipeline.name)


def parameter_specs(
    pipeline: Pipeline, given: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, TypeSpec | None]:
    """The pipeline's parameters that a flow can have, each with the type that its stages declare.

    None stands for a type on which the stages do not agree.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    given : mapping of str to object
        Values given in place of the pipeline's own.
    """
    found: dict[str, TypeSpec | None] = {}
    for name in shown_parameters(pipeline, given):
        usable = name.isidentifier() and not keyword.iskeyword(name) and name not in _FLOWS_OWN
        if name in pipeline.parameters and usable:
            specs = [
                stage.configurable[name].spec
                for stage in pipeline.stages.values()
                if name in stage.configurable
            ]
            found[name] = specs[0] if len(set(map(str, specs))) == 1 else None
    return found


def flow_names(pipeline: Pipeline, parameters: Iterable[str]) -> FlowNames:
    """Give every stage its names; a parameter keeps its own, whatever else is called so."""
    names = FreeNames([*_FLOWS_OWN, *_TASKS_OWN, *parameters])
    flow = names.new(pipeline.name)
    stages = {}
    for name, stage in pipeline.stages.items():
        task = names.new(name)
        stages[name] = StageNames(
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
