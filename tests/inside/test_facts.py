"""What a check prints: plain JSON of whatever right answers are made of."""

from __future__ import annotations

import graphlib
import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.inside.facts import as_facts, error_name, forget_said, plain, said

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_what_json_knows_stays_as_it_is(value: Any) -> None:
    """So a check prints the same as it did by `json.dumps`."""
    assert plain(value) == value
    assert as_facts({"value": value}) == json.dumps({"value": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(7), 7),
        (pd.Series([1.5, 2.5]), [1.5, 2.5]),
        (pd.Timestamp("2013-01-01"), "2013-01-01T00:00:00"),
        ({np.int64(1): np.float64(2)}, {1: 2.0}),
        ({(1, 2): 3}, {"[1, 2]": 3}),
        ((1, (2,)), [1, [2]]),
        ({"b", "a"}, {"set": ["a", "b"]}),
        (Fraction(1, 2), 0.5),
        (Decimal("0.25"), 0.25),
        (date(2013, 1, 2), "2013-01-02"),
        (Path("a/b"), "a/b"),
        (b"x", "<bytes>"),
        (1 + 2j, "<complex>"),
        (iter([]), "<list_iterator>"),
    ],
)
def test_a_value_of_another_library_is_what_it_stands_for(value: Any, expected: Any) -> None:
    """And what has no plain form is told by its kind."""
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found)


def test_a_list_that_holds_itself_ends() -> None:
    """Nothing that an answer returns keeps a check from printing."""
    endless: list[Any] = []
    endless.append(endless)
    assert "<nested too deep>" in as_facts({"endless": endless})


class _OwnError(ConnectionResetError):
    """A subclass of one of Python's own."""


class _OtherError(Exception):
    """No more than an Exception."""


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError(), "ValueError"),
        (graphlib.CycleError(), "ValueError"),
        (json.JSONDecodeError("", "", 0), "ValueError"),
        (_OwnError(), "ConnectionResetError"),
        (_OtherError(), "_OtherError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (type("ValueError", (Exception,), {})(), "another ValueError"),
        (Exception(), "Exception"),
    ],
)
def test_an_exception_bears_the_name_by_which_it_is_caught(error: Exception, name: str) -> None:
    """The nearest class of Python's own."""
    assert error_name(error) == name


def test_what_exceptions_say_is_kept_beside_the_facts() -> None:
    """A check prints their names alone: right answers may word it differently."""
    raised = {"error": error_name(TypeError("no len()"))}
    twice = [{"error": error_name(KeyError("a"))}, {"error": error_name(KeyError("b"))}]
    text = as_facts({"size": raised, "names": twice, "plain": 3})
    assert json.loads(text)["size"] == {"error": "TypeError"}
    assert said() == {"size": {"TypeError": "no len()"}, "names": {"KeyError": "'a'"}, "plain": {}}
    forget_said()
    assert said() == {}
    assert as_facts([1, raised]) == '[1, {"error": "TypeError"}]'  # type: ignore[arg-type] # a list


def test_an_exception_that_cannot_say_anything_has_its_name() -> None:
    """Its own `__str__` may fail."""

    class SpeechlessError(ValueError):
        def __str__(self) -> str:
            raise RuntimeError

    assert error_name(SpeechlessError()) == "ValueError"
