"""The combinations of a sweep: all of a grid, lists taken in step, or some drawn at random."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["UnequalListsError", "drawn", "in_step", "product_of"]

Lists = Mapping[str, Sequence[Any]]


class UnequalListsError(ValueError):
    """Lists that are to be taken in step have different lengths."""


def product_of(lists: Lists) -> list[dict[str, Any]]:
    """Every combination; the first list is the slowest."""
    return [_at(lists, place) for place in range(_size(lists))]


def in_step(lists: Lists) -> list[dict[str, Any]]:
    """The first values of all lists, the second ones, and so on; a single value stands for all.

    Raises
    ------
    UnequalListsError
        If they have different lengths.
    """
    lengths = {len(values) for values in lists.values()} - {1} or {1}
    if len(lengths) > 1:
        said = ", ".join(f"{name} {len(values)}" for name, values in lists.items())
        raise UnequalListsError(f"the lists have different lengths: {said}")
    count = lengths.pop()
    return [
        {name: values[place if len(values) > 1 else 0] for name, values in lists.items()}
        for place in range(count)
    ]


def drawn(lists: Lists, count: int, seed: int) -> list[dict[str, Any]]:
    """Some of the combinations, each once, in the order in which they were drawn.

    A greater `count` of the same seed begins with the same ones.
    """
    size, source = _size(lists), random.Random(seed)
    places: dict[int, None] = {}
    while len(places) < min(count, size):
        places.setdefault(source.randrange(size))
    return [_at(lists, place) for place in places]


def _size(lists: Lists) -> int:
    return math.prod(len(values) for values in lists.values())


def _at(lists: Lists, place: int) -> dict[str, Any]:
    """One combination by its place in the product, which need not be written out."""
    found: dict[str, Any] = {}
    for name in reversed(list(lists)):
        place, rest = divmod(place, len(lists[name]))
        found[name] = lists[name][rest]
    return {name: found[name] for name in lists}
