"""`check_yourself`: ✓ for what is right and nothing else, and sentences that are true."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit import Status
from mlkit.testing import check_yourself

NAMES = st.sampled_from(["collect", "split", "train", "tune", "gate"])
PLAIN = st.one_of(st.booleans(), st.integers(-5, 5), NAMES, st.floats(-2, 2, width=16))
VALUES: st.SearchStrategy[Any] = st.one_of(
    PLAIN,
    st.sets(NAMES),
    st.lists(NAMES, max_size=4),
    st.dictionaries(NAMES, PLAIN, max_size=3),
)


def same(one: Any, other: Any) -> bool:
    """The slow obvious way: equal, and no truth value passes for a number."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


@given(VALUES, VALUES)
def test_what_is_right_and_only_that_is_accepted(answer: Any, right: Any) -> None:
    """Of any two values; and each is right where it is asked for itself."""
    assert check_yourself(right, right).status == "passed"
    reply = check_yourself(answer, right)
    assert (reply.status == "passed") == ("✓" in repr(reply)) == same(answer, right)


@given(VALUES)
def test_a_gap_anywhere_is_not_answered(right: Any) -> None:
    """Whatever would be right, and wherever the gap is."""
    for gap in (..., [right, ...], {"a": ...}, {...}, "rows: int = ..."):
        reply = check_yourself(gap, right, seen=pytest.fail)
        assert reply.status == "not_attempted"
        assert "not answered yet" in repr(reply)
        assert "✓" not in reply._repr_html_()


@given(st.sets(NAMES), st.sets(NAMES, min_size=1))
def test_what_is_said_of_a_set_is_true(answer: set[str], right: set[str]) -> None:
    """What does not belong is named, what is missing is counted and not told."""
    said = repr(check_yourself(answer, right)).partition("✗ not yet: ")[2]
    surplus = set(re.findall(r"'(\w+)' does not belong", said))
    assert surplus <= answer - right
    missing = re.search(r"(\d+) (?:is|are) missing", said)
    if len(answer - right) < 3:
        assert surplus == answer - right
        assert int(missing[1] if missing else 0) == len(right - answer)
    assert not any(name in said for name in right - answer)


@given(st.floats(-9, 9), st.floats(-9, 9))
def test_what_is_said_of_a_number_is_true(answer: float, right: float) -> None:
    """Too small if it is smaller, too large if it is larger."""
    said = repr(check_yourself(answer, right))
    assert ("too small" in said) <= (answer < right)
    assert ("too large" in said) <= (answer > right)


@given(st.permutations(["a", "b", "c", "d"]))
def test_an_order_is_told_from_other_items(answer: list[str]) -> None:
    """The right items in another order are said to be right."""
    reply = check_yourself(answer, ["a", "b", "c", "d"])
    assert (reply.status == "passed") == (answer == sorted(answer))
    assert ("another order" in repr(reply)) == (answer != sorted(answer))


@pytest.mark.parametrize(
    ("answer", "right", "said"),
    [
        (True, 1, "True is a truth value, and a number is asked for"),
        ("3", 3, "'3' is a text, and a number is asked for"),
        (["a"], {"a"}, "['a'] is a list, and a set is asked for"),
        (None, 3, "nothing (None) came, and a number is asked for"),
        ([1, 2], [1, 2, 3], "it has 2 items, and 3 are asked for"),
        ([1], [1, 2], "it has 1 item, and 2 are asked for"),
        ([], [1], "it has 0 items, and 1 is asked for"),
        ([1, 5, 3], [1, 2, 3], "item 2: 5 is too large"),
        ({"rows": 5}, {"rows": 3, "seed": 1}, "rows: 5 is too large\n  seed is missing"),
        ({"rows": 3, "sed": 1}, {"rows": 3}, "sed does not belong here"),
        (float("nan"), 1.0, "nan is not right"),
        (dict.fromkeys("abcde", 1), {}, "c does not belong here\n  and 2 more differences"),
        (dict.fromkeys("abcd", 1), {}, "c does not belong here\n  and 1 more difference\n"),
    ],
)
def test_wrong_answers_read_in_what_they_differ(answer: Any, right: Any, said: str) -> None:
    """One sentence for each difference, three at most."""
    reply = check_yourself(answer, right, hint="look again")
    assert reply.status == "not_yet"
    assert said in repr(reply)
    assert repr(reply).endswith("\n  Hint: look again")


def test_values_of_libraries_are_as_good_as_pythons_own() -> None:
    """NumPy's numbers and truth values, tuples, statuses."""
    found = {"n": np.float64(3), "ok": np.bool_(True), "s": Status.SKIPPED, "t": ({(1, 2)},)}
    right = {"n": 3, "ok": True, "s": "skipped", "t": [{(1, 2)}]}
    assert check_yourself(found, right).status == "passed"
    assert check_yourself(pd.Series([1, 2]), [1, 2]).status == "passed"
    assert "item 2: 3 is too large" in repr(check_yourself(np.array([1, 3]), [1, 2]))
    table = pd.DataFrame({"a": [1]})
    assert check_yourself(table, table.copy()).status == "passed"
    assert check_yourself(table, table + 1).status == "not_yet"


def untouched(rows: int) -> float:  # type: ignore[empty-body]  # what a learner's cell looks like
    """Nothing but this."""
    ...


def half_done(rows: tuple[int, ...]) -> float:
    """The last line is still to be written."""
    total: float = sum(rows)
    total /= ...  # type: ignore[operator]  # what a learner's cell looks like
    return total


def written(rows: tuple[int, ...]) -> float:
    """A type with an ellipsis is no gap."""
    return sum(rows) / len(rows)


@pytest.mark.parametrize("function", [untouched, half_done])
def test_a_function_with_a_gap_is_not_called(function: Callable[..., float]) -> None:
    """An empty one, and one in which a line is still to be written."""
    assert check_yourself(function, 2, seen=pytest.fail).status == "not_attempted"
    namespace: dict[str, Any] = {}
    exec("def sourceless(): ...", namespace)
    assert check_yourself(namespace["sourceless"], 2, seen=pytest.fail).status == "not_attempted"


def test_what_a_function_gives_or_raises_is_told() -> None:
    """By the fact's name; an exception is a sentence, no traceback."""

    def probe(function: Callable[..., float]) -> dict[str, float]:
        return {"mean of 1, 3": function((1, 3))}

    assert check_yourself(written, {"mean of 1, 3": 2}, seen=probe).status == "passed"
    assert "mean of 1, 3: 2.0 is too small" in repr(
        check_yourself(written, {"mean of 1, 3": 4}, seen=probe)
    )
    ended = check_yourself(written, 0, seen=lambda function: sys.exit(2))
    assert "your answer raised SystemExit: 2" in repr(ended)

    def traceback(function: Callable[..., float]) -> float:
        raise RuntimeError("-----\n" + "a long line\n" * 100)

    assert repr(check_yourself(written, 0, seen=traceback)).count("a long line") == 3
    raised = check_yourself(written, 0, seen=lambda function: function(()))
    assert "your answer raised ZeroDivisionError" in repr(raised)
    assert raised.status == "not_yet"
