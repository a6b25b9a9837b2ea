"""A DAG that a learner builds: stages with durations, edges, and what follows from them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import field

from mlkit.core.graph import find_cycle, levels, topological_order
from mlkit.errors import UsageError
from mlkit.frozen import dataclass

__all__ = ["Analysis", "DagSketch", "Edge", "analyse", "example"]

Edge = tuple[str, str]
"""Upstream and downstream stage."""


@dataclass(frozen=True, kw_only=True)
class DagSketch:
    """Stages and edges, in the order in which they were added; a change makes a copy.

    Parameters
    ----------
    durations_s : mapping of str to float
        How long each stage takes, in seconds.
    edges : tuple of (str, str)
        Each leads from a stage to one that waits for it.
    """

    durations_s: Mapping[str, float] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()

    @property
    def graph(self) -> dict[str, tuple[str, ...]]:
        """Each stage with the stages upstream of it."""
        return {
            name: tuple(up for up, down in self.edges if down == name) for name in self.durations_s
        }

    def with_stage(self, name: str, seconds: float = 1.0) -> DagSketch:
        """Add a stage, or change how long one takes.

        Parameters
        ----------
        name : str
            The stage.
        seconds : float
            How long it takes.
        """
        if not name.strip():
            raise UsageError("a stage needs a name", remedy="Type one, such as 'clean'")
        if seconds < 0:
            raise UsageError(
                f"stage {name!r} cannot take {seconds:g} seconds", remedy="Give 0 or more"
            )
        return DagSketch(durations_s={**self.durations_s, name.strip(): seconds}, edges=self.edges)

    def without_stage(self, name: str) -> DagSketch:
        """Remove a stage and the edges that touch it.

        Parameters
        ----------
        name : str
            The stage.
        """
        self._known(name)
        rest = {other: seconds for other, seconds in self.durations_s.items() if other != name}
        return DagSketch(durations_s=rest, edges=tuple(e for e in self.edges if name not in e))

    def with_edge(self, upstream: str, downstream: str) -> DagSketch:
        """Add an edge; one that closes a cycle too, so that it can be looked at.

        Parameters
        ----------
        upstream, downstream : str
            The stages that it joins.
        """
        self._known(upstream)
        self._known(downstream)
        edge = (upstream, downstream)
        edges = self.edges if edge in self.edges else (*self.edges, edge)
        return DagSketch(durations_s=self.durations_s, edges=edges)

    def without_edge(self, upstream: str, downstream: str) -> DagSketch:
        """Remove an edge.

        Parameters
        ----------
        upstream, downstream : str
            The stages that it joins.
        """
        edge = (upstream, downstream)
        if edge not in self.edges:
            known = ", ".join(f"{up} → {down}" for up, down in self.edges) or "none"
            raise UsageError(
                f"there is no edge {upstream} → {downstream}",
                remedy=f"The edges are: {known}",
                code="E101",
            )
        rest = tuple(other for other in self.edges if other != edge)
        return DagSketch(durations_s=self.durations_s, edges=rest)

    def _known(self, name: str) -> None:
        if name not in self.durations_s:
            near = difflib.get_close_matches(name, self.durations_s, n=1)
            known = ", ".join(self.durations_s) or "none yet"
            raise UsageError(
                f"there is no stage {name!r}",
                remedy=f"Did you mean {near[0]!r}?" if near else f"The stages are: {known}",
                code="E101",
            )


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What follows from a sketch; with a cycle there is no order, no level and no critical path.

    Parameters
    ----------
    cycle : tuple of (str, str)
        The edges of one cycle, in order; empty if there is none.
    back : tuple of (str, str)
        The edges that closed cycles as they were added: without them the rest is acyclic.
    order : tuple of str
        A topological order.
    levels : tuple of tuple of str
        Stages whose longest way from a start has the same number of edges.
    critical : tuple of str
        The stages of the longest way, by duration.
    critical_s, total_s : float
        The sum of their durations, and of all.
    """

    cycle: tuple[Edge, ...] = ()
    back: tuple[Edge, ...] = ()
    order: tuple[str, ...] = ()
    levels: tuple[tuple[str, ...], ...] = ()
    critical: tuple[str, ...] = ()
    critical_s: float = 0.0
    total_s: float = 0.0


def analyse(sketch: DagSketch) -> Analysis:
    """Work out order, levels and critical path, or the cycle that forbids them.

    Parameters
    ----------
    sketch : DagSketch
        The graph, with or without a cycle.
    """
    total = sum(sketch.durations_s.values())
    found = find_cycle(sketch.graph)
    if found is not None:
        around = tuple(zip(found, (*found[1:], found[0]), strict=True))
        back = _back_edges(sketch.durations_s, sketch.edges)
        return Analysis(cycle=_opened_at(around, back), back=back, total_s=total)
    path = _critical_path(sketch)
    return Analysis(
        order=topological_order(sketch.graph),
        levels=levels(sketch.graph),
        critical=path,
        critical_s=sum(sketch.durations_s[name] for name in path),
        total_s=total,
    )


def _back_edges(names: Iterable[str], edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """The edges that closed a cycle, if one adds them one by one."""
    upstream: dict[str, list[str]] = {name: [] for name in names}
    back = []
    for up, down in edges:
        upstream[down].append(up)
        if find_cycle(upstream) is not None:
            upstream[down].remove(up)
            back.append((up, down))
    return tuple(back)


def _opened_at(around: tuple[Edge, ...], back: tuple[Edge, ...]) -> tuple[Edge, ...]:
    """Turn a cycle so that the edge that closed it comes last."""
    last = next(n for n, edge in enumerate(around) if edge in back)
    return (*around[last + 1 :], *around[: last + 1])


def _critical_path(sketch: DagSketch) -> tuple[str, ...]:
    ends_s: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for name in topological_order(sketch.graph):
        latest = max(sketch.graph[name], key=ends_s.__getitem__, default=None)
        before[name] = latest
        ends_s[name] = sketch.durations_s[name] + (ends_s[latest] if latest is not None else 0.0)
    path: list[str] = []
    name_or_none = max(ends_s, key=ends_s.__getitem__, default=None)
    while name_or_none is not None:
        path.append(name_or_none)
        name_or_none = before[name_or_none]
    return tuple(reversed(path))


def example() -> DagSketch:
    """A small training pipeline to start from."""
    return DagSketch(
        durations_s={
            "collect": 2.0,
            "clean": 3.0,
            "features": 4.0,
            "train": 8.0,
            "tune": 5.0,
            "evaluate": 1.0,
        },
        edges=(
            ("collect", "clean"),
            ("clean", "features"),
            ("features", "train"),
            ("features", "tune"),
            ("train", "evaluate"),
            ("tune", "evaluate"),
        ),
    )
