"""The combinations of a sweep."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.combining import UnequalListsError, drawn, in_step, product_of

LISTS = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.lists(
    st.integers(), min_size=1, max_size=4, unique=True), min_size=1, max_size=3)  # fmt: skip


@given(LISTS)
def test_a_grid_is_the_product(lists: dict[str, list[int]]) -> None:
    """As itertools has it: the first list is the slowest."""
    expected = [dict(zip(lists, v, strict=True)) for v in itertools.product(*lists.values())]
    assert product_of(lists) == expected


@given(LISTS, st.integers(1, 70), st.integers(0, 9))
def test_draws_are_combinations_each_once(
    lists: dict[str, list[int]], count: int, seed: int
) -> None:
    """Of a grid of any size; more draws of one seed begin with the same ones."""
    grid, found = product_of(lists), drawn(lists, count, seed)
    assert len(found) == min(count, len(grid))
    assert all(item in grid for item in found)
    assert len({tuple(item.values()) for item in found}) == len(found)
    assert drawn(lists, count + 3, seed)[: len(found)] == found


def test_a_few_of_very_many_are_drawn_at_once() -> None:
    """The product is not written out; another seed draws others."""
    lists = {str(n): list(range(1000)) for n in range(8)}
    assert len(drawn(lists, 5, 1)) == 5
    assert drawn(lists, 5, 1) != drawn(lists, 5, 2)


def test_lists_in_step_have_one_length() -> None:
    """A single value stands for all."""
    assert in_step({"a": [1, 2], "b": [9], "c": [3, 4]}) == [
        {"a": 1, "b": 9, "c": 3},
        {"a": 2, "b": 9, "c": 4},
    ]
    assert in_step({"a": [1]}) == [{"a": 1}]
    with pytest.raises(UnequalListsError, match="different lengths: a 2, b 3"):
        in_step({"a": [1, 2], "b": [1, 2, 3]})
