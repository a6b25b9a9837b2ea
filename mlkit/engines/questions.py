"""What every engine's compiler asks of a pipeline. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from mlkit.core.graph import descendants, edges, topological_order
from mlkit.core.pipeline import Instance, Node, Pipeline, Stage
from mlkit.core.triggers import TriggerRule

__all__ = [
    "EARLY",
    "listed_instances",
    "listed_labels",
    "picked_label",
    "shown_parameters",
    "stages_between",
    "together",
    "told_stages",
]

EARLY = frozenset({TriggerRule.ONE_SUCCESS, TriggerRule.ONE_FAILED})
"""Rules that may decide before the stages whose artifacts are read have ended."""


def listed_labels(stage: Stage) -> list[str] | None:
    """What stands in the brackets of a mapped stage's ids; None if an artifact has to tell."""
    known = listed_instances(stage)
    return None if known is None else [",".join(item.labels.values()) for item in known]


def listed_instances(stage: Stage) -> list[Instance] | None:
    """The instances of a mapped stage; None if an artifact has to tell."""
    assert stage.foreach is not None
    if stage.foreach.size is None:
        return None
    lists = [axis.values or () for axis in stage.foreach.axes]
    return [Instance(stage=stage, values=values) for values in itertools.product(*lists)]


def picked_label(node: Node) -> str | None:
    """What a node says in brackets, as in ids; None if it means all instances of a stage."""
    return ",".join(node.wanted({}).values()) or None


def together(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    """The stages that are chained over one list in an artifact.

    An engine runs their instances of one value one after the other, whatever the values will be.

    Returns
    -------
    dict of str to tuple of str
        Each such stage with all that it is chained to, upstream first.
    """
    found: dict[str, set[str]] = {}
    for stage in pipeline.stages.values():
        for node in stage.upstream:
            over = pipeline.stages[node.stage].foreach
            if node.is_chained and over is not None and over.size is None:
                joined = found.get(stage.name, {stage.name}) | found.get(node.stage, {node.stage})
                found |= dict.fromkeys(joined, joined)
    order = topological_order(edges(pipeline))
    return {name: tuple(n for n in order if n in whole) for name, whole in found.items()}


def stages_between(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Name what stands between two stages of a loop, with the stage that waits for it.

    Where a loop is a whole, what waits for it cannot be waited for in it.
    """
    graph = edges(pipeline)
    for loop in dict.fromkeys(together(pipeline).values()):
        inside = set(loop)
        below = {name for first in loop for name in descendants(graph, [first])} - inside
        for name in loop:
            yield from ((name, above) for above in graph[name] if above in below)


def shown_parameters(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that an engine may keep and show, with their values.

    Secrets are none of them, nor is what mlkit takes from the environment of the tasks, nor a list
    that a stage maps over.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    given : mapping of str to object
        Values given beside pipeline.yaml.
    """
    secret = {
        name
        for stage in pipeline.stages.values()
        for name, item in stage.configurable.items()
        if item.spec.is_secret
    }
    maps = [stage.foreach for stage in pipeline.stages.values() if stage.foreach is not None]
    # the tasks of an export are those of its lists
    fixed = {axis.listed for foreach in maps for axis in foreach.axes}
    profile = {} if pipeline.profile is None else pipeline.profile.parameters
    merged = {**pipeline.parameters, **profile, **given}
    hidden = secret | fixed
    return {n: item for n, item in merged.items() if n not in hidden and "${" not in repr(item)}


def told_stages(pipeline: Pipeline) -> list[str]:
    """The stages of whose end people are told."""
    stages = pipeline.stages.values()
    return [stage.name for stage in stages if stage.notify.on_failure or stage.notify.on_success]
