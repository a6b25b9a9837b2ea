"""The order of a graph as a nest of steps one after the other, and side by side. Pure.

The states of Amazon's language are no graph: behind a state stands one other, and what goes side by
side begins and ends together, in a `Parallel`. Most pipelines can be written so without a loss:
their graph is series-parallel, and each stage waits for what is upstream of it, and for nothing
else. Where it is not (`a` before `c`, `a` and `b` before `d`), what begins such a part is brought
together and waited for as a whole: `c` waits for `b`, too, which delays it and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlkit.core.graph import topological_order
from mlkit.frozen import dataclass

__all__ = ["Block", "Fork", "Step", "arranged"]


@dataclass(frozen=True, kw_only=True)
class Fork:
    """Blocks that go side by side; what follows waits for all of them."""

    branches: tuple[Block, ...]


Step = str | Fork
Block = tuple[Step, ...]
"""Steps one after the other; a step is one name, or a fork."""


def arranged(graph: Mapping[str, Iterable[str]]) -> Block:
    """Arrange the names of a graph, so that each one comes behind all that is upstream of it.

    Parameters
    ----------
    graph : mapping of str to iterable of str
        Each name with those upstream of it; there is no cycle.
    """
    found: list[Step] = []
    left = _part(graph, topological_order(graph))
    while len(left) > 1:
        apart = _parts(left, _neighbours(left))
        if len(apart) > 1:
            branches = [arranged(_part(left, names)) for names in apart]
            return (*found, Fork(branches=tuple(branches)))
        above = _closure(left)
        groups = _parts(left, _strangers(above))
        if len(groups) > 1:  # each of these as a whole is before the next
            groups.sort(key=lambda names: len(above[names[0]]))
            return (*found, *(step for names in groups for step in arranged(_part(left, names))))
        first = [name for name, upstream in left.items() if not upstream]
        found += arranged(_part(left, first))
        left = _part(left, [name for name in left if name not in first])
    return (*found, *left)


def _part(graph: Mapping[str, Iterable[str]], names: Iterable[str]) -> dict[str, set[str]]:
    """The graph among some of its names, in their order."""
    kept = list(names)
    return {name: set(graph[name]) & set(kept) for name in kept}


def _closure(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Everything upstream of each name; the names come in order."""
    found: dict[str, set[str]] = {}
    for name, upstream in graph.items():
        found[name] = upstream.union(*(found[other] for other in upstream))
    return found


def _neighbours(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What each name waits for, and what waits for it."""
    found = {name: set(upstream) for name, upstream in graph.items()}
    for name, upstream in graph.items():
        for other in upstream:
            found[other].add(name)
    return found


def _strangers(above: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Those of which neither waits for the other, by each name."""
    near = _neighbours(above)
    return {name: above.keys() - near[name] - {name} for name in above}


def _parts(names: Iterable[str], near: Mapping[str, set[str]]) -> list[list[str]]:
    """The connected parts of a graph without directions, each in the order of the names."""
    left, parts = list(names), []
    while left:
        part: set[str] = set()
        new = {left[0]}
        while new:
            part |= new
            new = set().union(*(near[name] for name in new)) - part
        parts.append([name for name in left if name in part])
        left = [name for name in left if name not in part]
    return parts
