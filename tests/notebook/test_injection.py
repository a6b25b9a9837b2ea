"""The injected cell gives back the very values."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
from pathlib import Path
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlkit.core.pipeline import Declaration
from mlkit.core.types import TypeSpec
from mlkit.inside.injected import INJECTED_PREFIX
from mlkit.notebook.injection import Assignment, injection_source, python_literal
from mlkit.notebook.session import write_notebook

TEXTS = st.text(st.characters(codec=None))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXTS,
    st.sampled_from(["'\"", '"""', "'''\\", "a # b = {c}", "\u2028\x85\r\n", "\ud800", "\\N{x}"]),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones(), allow_imaginary=False),
    st.sampled_from([Path("/a b/{c}/ü"), Path("'\"")]),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    """Equal, of equal types, nan and the sign of zero included."""
    if isinstance(one, dt.datetime) and isinstance(other, dt.datetime):
        # Not by ==, which is false between two zones for an hour that a clock shows twice.
        return (one.replace(tzinfo=None), one.utcoffset()) == (
            other.replace(tzinfo=None),
            other.utcoffset(),
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return repr(one) == repr(other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def execute(source: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Execute a cell."""
    space: dict[str, Any] = dict(names or {})
    exec(source, space)
    return space


@given(VALUES)
@example(dt.datetime(2000, 10, 29, 2, tzinfo=ZoneInfo("Asia/Novokuznetsk")))
def test_executing_the_cell_gives_the_same_value(value: Any) -> None:
    """Types, nan, -0.0, quotes, newlines, lone surrogates, time zones."""
    source = injection_source((Assignment(name="x", value=value),), "Injected")
    assert same(execute(source)["x"], value)


@given(VALUES)
def test_also_after_the_notebook_was_saved(tmp_path_factory: Any, value: Any) -> None:
    """The file holds the cell as it was executed."""
    source = injection_source((Assignment(name="x", value=value),), "Injected")
    path = tmp_path_factory.getbasetemp() / "saved.ipynb"
    write_notebook({"cells": [{"source": source}]}, path)
    saved = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
    assert same(execute(saved)["x"], value)


def test_the_cell_is_readable() -> None:
    """One line a name, below a comment."""
    source = injection_source(
        (
            Assignment(name="rows", value=5),
            Assignment(name="paths", value=["/a", "/b"]),
            Assignment(name="rate", value=math.inf),
        ),
        "Injected by mlkit",
    )
    assert source == "# Injected by mlkit\nrows = 5\npaths = ['/a', '/b']\nrate = float(\"inf\")"


@pytest.mark.parametrize(
    ("value", "kind", "spelling", "expected"),
    [
        (dt.date(2013, 1, 2), "date", "dt.date", "dt.date.fromisoformat('2013-01-02')"),
        (
            dt.datetime(2013, 1, 2),
            *("datetime", "datetime", "datetime.fromisoformat('2013-01-02T00:00:00')"),
        ),
        (Path("a"), "Path", "pathlib.Path", "pathlib.Path('a')"),
        (Path("a"), "Path", "", "__import__(\"pathlib\").Path('a')"),
    ],
)
def test_a_class_is_called_as_the_notebook_calls_it(
    value: Any, kind: str, spelling: str, expected: str
) -> None:
    """Alone, in a union, in a list."""
    spec = TypeSpec(kind=kind, source=spelling)
    assert python_literal(value, spec) == expected
    assert python_literal(value, TypeSpec(kind="union", members=(spec,))) == expected
    assert python_literal([value], TypeSpec(kind="list", members=(spec,))) == f"[{expected}]"


@pytest.mark.parametrize("value", [b"x", {1}, object(), 1j])
def test_what_is_no_parameter_is_refused(value: Any) -> None:
    """It would come back as something else."""
    with pytest.raises(TypeError, match="cannot be a parameter"):
        python_literal(value)


HIDDEN: list[tuple[Any, str]] = [
    *[("hunter22'\"\n", "str"), (["hunter22", 1], "list"), ({"a": "hunter22"}, "dict")],
    *[(dt.date(2013, 1, 2), "date"), (dt.datetime(2013, 1, 2, 3), "datetime")],
    *[(Path("/hunter22"), "Path"), ("", "str")],
]


@pytest.mark.parametrize(("value", "kind"), HIDDEN)
def test_a_hidden_value_comes_through_the_environment(value: Any, kind: str) -> None:
    """It does not stand in the cell, and arrives as what it was."""
    declaration = Declaration(name="x", spec=TypeSpec(kind=kind), default=None)
    item = Assignment(name="x", value=value, hidden=True, declaration=declaration)
    source = injection_source((item,), "Injected")
    assert "hunter22" not in source
    assert "2013" not in source
    with mock.patch.dict(os.environ, {INJECTED_PREFIX + "x": item.environment_text}):
        received = execute(source)["x"]
    assert received == value
    assert isinstance(received, type(value))
    if isinstance(received, str) and value:
        assert repr(received) == "Secret('***')"


def test_a_title_never_becomes_code() -> None:
    """A map's value comes from data and stands in the title: it stays a comment, whatever it is."""
    source = injection_source((), "stage 'b[x\nraise SystemExit\r\x0cy]'")
    assert source.count("\n") == 0
    assert source.startswith("# ")
    exec(compile(source, "cell", "exec"), {})
