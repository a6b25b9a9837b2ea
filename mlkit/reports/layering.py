"""Which row and which place in its row each box of a layered drawing gets (Sugiyama's method)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from mlkit.frozen import dataclass

__all__ = ["Rows", "count_crossings", "make_rows"]

_SWEEPS = 12


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of names from top to bottom, each from left to right.

    Parameters
    ----------
    rows : tuple of tuple of str
        Names of boxes, and of bends: places where a long arrow passes through a row.
    segments : tuple of (str, str)
        The arrows, cut into pieces that lead from one row to the next.
    paths : mapping of (str, str) to tuple of str
        Each arrow with the boxes and bends on its way.
    """

    rows: tuple[tuple[str, ...], ...]
    segments: tuple[tuple[str, str], ...]
    paths: Mapping[tuple[str, str], tuple[str, ...]]


def make_rows(names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> Rows:
    """Lay out an acyclic graph in rows with few crossings.

    Parameters
    ----------
    names : sequence of str
        In topological order.
    arrows : sequence of (str, str)
        Source and target of each arrow.
    """
    level = _levels(names, arrows)
    rows: list[list[str]] = [[] for _ in range(1 + max(level.values(), default=-1))]
    for name in names:
        rows[level[name]].append(name)
    paths = {arrow: _path(arrow, level, rows) for arrow in dict.fromkeys(arrows)}
    segments = tuple(
        dict.fromkeys(pair for path in paths.values() for pair in itertools.pairwise(path))
    )
    best = _untangle(rows, segments)
    return Rows(rows=tuple(map(tuple, best)), segments=segments, paths=paths)


def _levels(names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> dict[str, int]:
    """As high as possible; but what starts the graph stands right above its first reader."""
    level: dict[str, int] = {}
    for name in names:
        level[name] = 1 + max((level[s] for s, t in arrows if t == name), default=-1)
    targets = {target for _, target in arrows}
    for name in names:
        below = [level[t] for s, t in arrows if s == name]
        if name not in targets and below:
            level[name] = min(below) - 1
    return level


def _path(
    arrow: tuple[str, str], level: Mapping[str, int], rows: list[list[str]]
) -> tuple[str, ...]:
    """Lead an arrow down; all arrows from one source share their bends, like a branching trunk."""
    source, target = arrow
    bends = []
    for row in range(level[source] + 1, level[target]):
        bend = f"\0{source}\0{row}"
        if bend not in rows[row]:
            rows[row].append(bend)
        bends.append(bend)
    return (source, *bends, target)


def _untangle(rows: list[list[str]], segments: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Sweep down and up, ordering each row by the middle of its neighbours; keep the best."""
    best, fewest = [list(row) for row in rows], count_crossings(rows, segments)
    work = [list(row) for row in rows]
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for index in range(1, len(work)) if down else range(len(work) - 2, -1, -1):
            fixed = work[index - 1 if down else index + 1]
            work[index] = _by_neighbours(work[index], fixed, segments)
        _swap_pairs(work, segments)
        crossings = count_crossings(work, segments)
        if crossings < fewest:
            best, fewest = [list(row) for row in work], crossings
    return best


def _by_neighbours(
    row: Sequence[str], fixed: Sequence[str], segments: Sequence[tuple[str, str]]
) -> list[str]:
    place = {name: float(index) for index, name in enumerate(fixed)}
    around: dict[str, list[float]] = {name: [] for name in row}
    for source, target in segments:
        if source in place and target in around:
            around[target].append(place[source])
        elif target in place and source in around:
            around[source].append(place[target])
    middle = {
        name: sum(found) / len(found) if found else float(index)
        for index, (name, found) in enumerate(around.items())
    }
    return sorted(row, key=middle.__getitem__)


def _swap_pairs(rows: list[list[str]], segments: Sequence[tuple[str, str]]) -> None:
    """Swap neighbours in a row wherever that saves crossings."""
    for index, row in enumerate(rows):
        near = rows[max(0, index - 1) : index + 2]
        for left in range(len(row) - 1):
            before = count_crossings(near, segments)
            row[left], row[left + 1] = row[left + 1], row[left]
            if count_crossings(near, segments) >= before:
                row[left], row[left + 1] = row[left + 1], row[left]


def count_crossings(rows: Sequence[Sequence[str]], segments: Sequence[tuple[str, str]]) -> int:
    """Count the pairs of segments that cross between two neighbouring rows."""
    total = 0
    for upper, lower in itertools.pairwise(rows):
        high = {name: index for index, name in enumerate(upper)}
        low = {name: index for index, name in enumerate(lower)}
        ends = sorted((high[s], low[t]) for s, t in segments if s in high and t in low)
        lows = [end for _, end in ends]
        total += sum(
            1
            for i, (first, one) in enumerate(ends)
            for (second, _), other in zip(ends[i + 1 :], lows[i + 1 :], strict=True)
            if second > first and other < one
        )
    return total
