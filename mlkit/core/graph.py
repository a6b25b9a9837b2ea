"""The directed acyclic graph of a pipeline's stages."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from mlkit.core.pipeline import Pipeline

__all__ = ["ancestors", "descendants", "edges", "find_cycle", "levels", "topological_order"]

Graph = Mapping[str, Iterable[str]]


def edges(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    """Map each stage's name to the names of its upstream stages, in the order of the file.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    """
    return {
        name: tuple(dict.fromkeys(node.stage for node in stage.upstream))
        for name, stage in pipeline.stages.items()
    }


def find_cycle(graph: Graph) -> tuple[str, ...] | None:
    """Find one cycle.

    Parameters
    ----------
    graph : mapping of str to iterable of str
        Each name with the names upstream of it.

    Returns
    -------
    tuple of str or None
        The names along the cycle, upstream before downstream, the first not repeated.
    """
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return tuple(found[:-1])
    return None


def topological_order(graph: Graph) -> tuple[str, ...]:
    """Order the names so that upstream comes first; among the free ones, the order of the graph.

    Parameters
    ----------
    graph : mapping of str to sequence of str
        Each name with those upstream of it.

    Raises
    ------
    ValueError
        If there is a cycle.
    """
    if (cycle := find_cycle(graph)) is not None:
        raise ValueError(f"cycle: {' → '.join([*cycle, cycle[0]])}")
    names = list(graph)
    place = {name: index for index, name in enumerate(names)}
    missing = {name: len(set(graph[name])) for name in names}
    below = _downstream(graph)
    free = [place[name] for name in names if not missing[name]]
    heapq.heapify(free)
    order: list[str] = []
    while free:
        name = names[heapq.heappop(free)]
        order.append(name)
        for other in below[name]:
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(free, place[other])
    return tuple(order)


def levels(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Group the names: a name's level is one more than the highest level upstream of it.

    Parameters
    ----------
    graph : mapping of str to sequence of str
        Each name with those upstream of it.
    """
    level: dict[str, int] = {}
    for name in topological_order(graph):
        level[name] = 1 + max((level[other] for other in graph[name]), default=-1)
    groups: list[list[str]] = [[] for _ in range(1 + max(level.values(), default=-1))]
    for name in graph:
        groups[level[name]].append(name)
    return tuple(map(tuple, groups))


def ancestors(graph: Graph, names: Iterable[str]) -> frozenset[str]:
    """Give everything upstream of some names, directly or not, without the names themselves."""
    return _reach({name: tuple(graph[name]) for name in graph}, names)


def descendants(graph: Graph, names: Iterable[str]) -> frozenset[str]:
    """Give everything downstream of some names, directly or not, without the names themselves."""
    return _reach(_downstream(graph), names)


def _downstream(graph: Graph) -> dict[str, list[str]]:
    below: dict[str, list[str]] = {name: [] for name in graph}
    for name in graph:
        for other in dict.fromkeys(graph[name]):
            below[other].append(name)
    return below


def _reach(graph: Mapping[str, Iterable[str]], names: Iterable[str]) -> frozenset[str]:
    start = list(names)
    seen: set[str] = set()
    stack = list(start)
    while stack:
        for other in graph[stack.pop()]:
            if other not in seen:
                seen.add(other)
                stack.append(other)
    return frozenset(seen - set(start))
