"""A part of the instances of mapped stages: what is asked for, and what that needs upstream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlkit.core.graph import topological_order
from mlkit.core.pipeline import Node, Stage

__all__ = ["EVERYTHING", "Subset", "is_in", "needed", "overlap", "subset_of"]

Subset = frozenset[frozenset[tuple[str, str]]]
"""Which instances of a stage: those for which all the pairs of one of the sets hold, each pair a
parameter and its value as in ids."""

EVERYTHING: Subset = frozenset({frozenset()})


def subset_of(node: Node) -> Subset:
    """The instances that a reference means whose values are all said."""
    return frozenset({frozenset((p.parameter, p.value) for p in node.picks if p.value is not None)})


def is_in(subset: Subset, labels: Mapping[str, str]) -> bool:
    """Whether an instance, by its values, is in a subset; a stage without values is in each."""
    if subset == EVERYTHING or not labels:
        return bool(subset)
    own = set(labels.items())
    return any(wanted <= own for wanted in subset)


def overlap(left: Subset, right: Subset) -> bool:
    """Whether an instance may be in both: what they ask for does not contradict each other."""
    return any(len(dict(a | b)) == len(a | b) for a in left for b in right)


def needed(stages: Mapping[str, Stage], wanted: Mapping[str, Subset]) -> dict[str, Subset]:
    """Give which instances of every stage upstream some instances refer to, directly or not.

    Parameters
    ----------
    stages : mapping of str to Stage
        The pipeline.
    wanted : mapping of str to Subset
        The instances to begin with.

    Returns
    -------
    dict of str to Subset
        The instances to begin with included; a stage that is not needed is absent.
    """
    found = dict(wanted)
    graph = {name: [node.stage for node in stage.upstream] for name, stage in stages.items()}
    for name in reversed(topological_order(graph)):
        for node in stages[name].upstream if name in found else ():
            more = _of_all(node, found[name])
            found[node.stage] = _simple(found.get(node.stage, frozenset()) | more)
    return found


def _of_all(node: Node, readers: Subset) -> Subset:
    return frozenset(frozenset(_pairs(node, dict(own))) for own in readers)


def _pairs(node: Node, own: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """What a reference says for readers of which some values are known."""
    for pick in node.picks:
        value = pick.value_for(own)
        if value is not None:
            yield pick.parameter, value


def _simple(subset: Subset) -> Subset:
    return EVERYTHING if frozenset() in subset else subset
