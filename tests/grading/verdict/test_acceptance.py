"""Rules accept every right answer, and no wrong one."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.grading.verdict.acceptance import RULES

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
SECONDS = {"a": 1, "b": 2, "c": 2, "d": 1}
CYCLIC = {"a": ["c"], "b": ["a"], "c": ["b"], "d": ["a"]}


@st.composite
def dags(draw: st.DrawFn) -> dict[str, list[str]]:
    """Graphs whose edges lead from lower to higher numbers only."""
    size = draw(st.integers(0, 7))
    return {f"t{n}": [f"t{up}" for up in range(n) if draw(st.booleans())] for n in range(size)}


@given(dags(), st.randoms(use_true_random=False))
def test_every_topological_order_is_accepted_and_a_shortened_one_is_not(
    graph: dict[str, list[str]], random: Any
) -> None:
    """Whatever the order in which the graph is written."""
    items = list(graph.items())
    random.shuffle(items)
    order = list(TopologicalSorter(dict(items)).static_order())
    rule = {"graph": graph}
    assert RULES["topological_order"](order, rule)
    if order:
        assert not RULES["topological_order"](order[1:], rule)
        assert not RULES["topological_order"]([*order, order[0]], rule)


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        (["a", "b", "c"], True),
        (["b", "c", "a"], True),
        (["c", "b", "a"], False),
        (["a", "b", "c", "a"], False),
        (["a", "b", "c", "d"], False),
        (["a", "b"], False),
        ([], False),
        (None, False),
        ([1, 2, 3], False),
    ],
)
def test_a_cycle_may_start_anywhere(value: Any, *, accepted: bool) -> None:
    """Upstream before downstream, each of its tasks once, and no other."""
    assert RULES["cycle"](value, {"graph": CYCLIC}) is accepted


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ([["a", "b", "d"], 4], True),
        ([["a", "c", "d"], 4.0], True),
        ([["a", "d"], 4], False),
        ([["a", "b", "d"], 5], False),
        ([["d", "b", "a"], 4], False),
        ([["a", "b"], 3], False),
        ([["a", "x"], 4], False),
        (4, False),
        ([["a", "b", "d"]], False),
    ],
)
def test_any_longest_path_is_accepted_with_its_total(value: Any, *, accepted: bool) -> None:
    """A shorter one, a broken one, or another total is not."""
    rule = {"graph": DIAMOND, "seconds": SECONDS}
    assert RULES["critical_path"](value, rule) is accepted


def test_an_empty_graph_has_an_empty_path() -> None:
    """And no seconds."""
    assert RULES["critical_path"]([[], 0], {"graph": {}, "seconds": {}})


@pytest.mark.parametrize(
    ("name", "rule", "value", "accepted"),
    [
        ("any_of", {"values": [1, [2]]}, [2], True),
        ("any_of", {"values": [1, [2]]}, 2, False),
        ("all_among", {"values": [1, 2]}, [2, 2, 1], True),
        ("all_among", {"values": [1, 2]}, [3], False),
        ("all_among", {"values": [1, 2]}, 1, False),
        ("unordered", {"values": [1, 2, 2]}, [2, 1, 2], True),
        ("unordered", {"values": [1, 2, 2]}, [2, 1, 1], False),
        ("unordered", {"values": [1, 2]}, [1], False),
        ("between", {"low": 0, "high": 1}, 0.5, True),
        ("between", {"low": 0, "high": 1}, 1.1, False),
        ("between", {"low": 0, "high": 1}, True, False),
        ("between", {"low": 0, "high": 1}, float("nan"), False),
    ],
)
def test_a_rule_accepts_what_it_says(
    name: str, rule: dict[str, Any], value: Any, *, accepted: bool
) -> None:
    """And nothing else."""
    assert RULES[name](value, rule) is accepted
