"""Coordinates for the rows of a layered drawing: straight arrows, nothing overlapping."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from mlkit.reports.layering import Rows

__all__ = ["place", "spread"]

_ROUNDS = 120
_BEND_PULL = 4.0


def spread(
    wanted: Sequence[float], weights: Sequence[float], apart: Sequence[float]
) -> list[float]:
    """Give positions as near as possible to the wanted ones that keep their distances.

    Minimises the weighted squared differences by pooling adjacent violators.

    Parameters
    ----------
    wanted, weights : sequence of float of shape (n,)
        Where each item would like to be, and how much it matters.
    apart : sequence of float of shape (n - 1,)
        The least distance between each item and the next.

    Returns
    -------
    list of float of shape (n,)
    """
    offsets = [0.0]
    for distance in apart:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, float, int]] = []
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        pools.append((want - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            high, low = pools.pop(), pools.pop()
            weight = high[1] + low[1]
            pools.append(((high[0] * high[1] + low[0] * low[1]) / weight, weight, high[2] + low[2]))
    flat = [middle for middle, _, size in pools for _ in range(size)]
    return [value + offset for value, offset in zip(flat, offsets, strict=True)]


def place(rows: Rows, widths: Mapping[str, float], gap: float) -> dict[str, float]:
    """Give the horizontal centre of every box and bend.

    Parameters
    ----------
    rows : Rows
        The rows; their order is kept.
    widths : mapping of str to float
        The width of each box; a bend has none.
    gap : float
        The least space between two neighbours.

    Returns
    -------
    dict of str to float
        Centres; the leftmost edge is at 0.
    """
    around: dict[str, list[tuple[str, float]]] = {name: [] for row in rows.rows for name in row}
    for source, target in rows.segments:
        pull = 1.0 + _BEND_PULL * ((source not in widths) + (target not in widths))
        around[source].append((target, pull))
        around[target].append((source, pull))
    centre: dict[str, float] = {}
    for row in rows.rows:
        centre.update(
            zip(
                row,
                spread([0.0] * len(row), [1.0] * len(row), _apart(row, widths, gap)),
                strict=True,
            )
        )
    for turn in range(_ROUNDS):
        for row in rows.rows if turn % 2 == 0 else reversed(rows.rows):
            _settle(row, centre, around, _apart(row, widths, gap))
    left = min((x - widths.get(name, 0.0) / 2 for name, x in centre.items()), default=0.0)
    return {name: x - left for name, x in centre.items()}


def _apart(row: Sequence[str], widths: Mapping[str, float], gap: float) -> list[float]:
    half = [widths.get(name, 0.0) / 2 for name in row]
    return [a + b + gap for a, b in itertools.pairwise(half)]


def _settle(
    row: Sequence[str],
    centre: dict[str, float],
    around: Mapping[str, list[tuple[str, float]]],
    apart: Sequence[float],
) -> None:
    """Move each item of a row towards the weighted middle of all its neighbours."""
    wanted, weights = [], []
    for name in row:
        weight = sum(pull for _, pull in around[name])
        middle = sum(centre[other] * pull for other, pull in around[name])
        wanted.append(middle / weight if weight else centre[name])
        weights.append(weight or 0.1)
    centre.update(zip(row, spread(wanted, weights, apart), strict=True))
