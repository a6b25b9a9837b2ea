"""What a stage's op hands on, and which ops stand before it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Node, Pipeline, Stage
from mlkit.core.triggers import TriggerRule
from mlkit.engines.questions import together
from mlkit.engines.unrolling import Unrolled

__all__ = ["asks_before", "going_on", "is_native", "node_groups", "waits_apart"]


def is_native(pipeline: Pipeline, stage: Stage) -> bool:
    """Whether Dagster's own skipping and holding back is what a stage's trigger rule says.

    Dagster never starts an op behind one that has failed; behind several that are handed over as
    one list it starts an op unless all of them were skipped.
    """
    if stage.trigger is TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS:
        maps = [node for node in stage.upstream if pipeline.stages[node.stage].foreach is not None]
        return not maps or len(stage.upstream) == 1
    loop = together(pipeline).get(stage.name, ())
    apart = [node for node in stage.upstream if node.picks and node.stage not in loop]
    return stage.trigger is TriggerRule.ALL_SUCCESS and not apart


def going_on(whole: Unrolled) -> frozenset[str]:
    """The stages behind which something may run although they were skipped or have failed.

    Those behind which there is one farther down belong to them, and if one instance of a stage
    does, all do.
    """
    pipeline = whole.pipeline
    alike: dict[str, set[str]] = {}
    for name in pipeline.stages:
        alike.setdefault(whole.stage_of(name), set()).add(name)
    found: set[str] = set()
    for stage in pipeline.stages.values():
        if not is_native(pipeline, stage):
            found |= {node.stage for node in stage.upstream}
    graph, size = edges(pipeline), -1
    while size != len(found):
        size = len(found)
        found |= {other for name in found for other in alike[whole.stage_of(name)]}
        for name in reversed(topological_order(graph)):
            found |= set(graph[name]) if name in found else set()
    return frozenset(found)


def asks_before(stage: Stage, ends: frozenset[str]) -> bool:
    """Whether an op before the stage's own looks at its condition, so that Dagster skips it."""
    one = len(stage.when) == 1 and stage.trigger is TriggerRule.ALL_SUCCESS
    return one and not ends & {stage.name, stage.when[0].source.node.stage}


def waits_apart(whole: Unrolled, stage: Stage, ends: frozenset[str]) -> bool:
    """Whether an op of its own waits for the stage's file; otherwise mlkit does, in the stage's.

    Behind a rule that mlkit has to judge first, nobody else may wait, nor for one instance.
    """
    if stage.wait_for is None or stage.is_chained or stage.name in whole.origins:
        return False
    return not stage.upstream or (stage.name not in ends and is_native(whole.pipeline, stage))


def node_groups(whole: Unrolled, stage: Stage) -> Iterator[tuple[str, list[Node]]]:
    """What a stage waits for, by the stage that pipeline.yaml names."""
    nodes = stage.data_upstream if stage.trigger is TriggerRule.ALWAYS else stage.upstream
    found: dict[str, list[Node]] = {}
    for node in nodes:
        group = found.setdefault(whole.stage_of(node.stage), [])
        if node.stage not in [known.stage for known in group]:
            group.append(node)
    yield from found.items()
