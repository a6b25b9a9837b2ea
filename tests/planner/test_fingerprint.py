"""Laws of the fingerprint, for any notebook and any value."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.configuration import Bound
from mlkit.core.outputs import Output
from mlkit.core.pipeline import Declaration, Kernel, Stage
from mlkit.core.types import ANY
from mlkit.notebook.cells import Cell, NotebookSource, parse_document
from mlkit.planner.fingerprint import Parts, parts_of
from mlkit.planner.reasons import differences

SOURCES = st.lists(st.text(min_size=1, max_size=20), max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def _notebook(code: list[str], prose: list[str]) -> NotebookSource:
    cells = [("markdown", text) for text in prose] + [("code", text) for text in code]
    return NotebookSource(
        path=Path("n.ipynb"),
        cells=tuple(
            Cell(index=i, id=f"c{i}", kind=kind, source=text)
            for i, (kind, text) in enumerate(cells)
        ),
        document={},
    )


def _parts(code: list[str], prose: list[str], value: Any = 1, digest: str = "d") -> Parts:
    declared = {"x": Declaration(name="x", spec=ANY, default=None)}
    stage = Stage(
        name="s", notebook=Path("n.ipynb"), declared=declared, outputs={"o": Output.of("o.txt")}
    )
    bound = {"x": Bound(value=value, origin="test")}
    return parts_of(stage, _notebook(code, prose), bound, {"i": digest})


@given(SOURCES, st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_prose_never_changes_it(code: list[str], one: list[str], other: list[str]) -> None:
    """Two notebooks with the same code have the same key, whatever stands between."""
    assert _parts(code, one).key == _parts(code, other).key


@given(SOURCES, SOURCES)
def test_code_changes_it(one: list[str], other: list[str]) -> None:
    """Keys are equal exactly if the code cells are; and a difference is always named."""
    full, others = [c for c in one if c.strip()], [c for c in other if c.strip()]
    a, b = _parts(one, []), _parts(other, [])
    assert (a.key == b.key) == (full == others)
    assert bool(differences(a.to_json(), b)) == (full != others)


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return repr(one) == repr(other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


@given(VALUES, VALUES)
def test_a_value_changes_it_by_type_and_value(one: Any, other: Any) -> None:
    """`1`, `1.0`, `True` and `"1"` are four values; nan equals itself."""
    a, b = _parts([], [], one), _parts([], [], other)
    assert (a.key == b.key) == _same(one, other)


def test_values_that_python_calls_equal_differ() -> None:
    """1 == 1.0 == True in Python, but a notebook can tell them apart."""
    keys = {_parts([], [], value).key for value in (1, 1.0, True, "1", -0.0, 0.0, math.nan)}
    assert len(keys) == 7


def test_an_input_changes_it() -> None:
    """Another digest is another key, and the reason names the input."""
    one, other = _parts([], [], digest="d1"), _parts([], [], digest="d2")
    assert one.key != other.key
    assert differences(one.to_json(), other) == ("input i changed",)


def test_cells_in_another_order_are_another_notebook() -> None:
    """The reason says that it is only the order."""
    one, other = _parts(["a", "b"], []), _parts(["b", "a"], [])
    assert differences(one.to_json(), other) == ("code changed: the cells are in another order",)


def test_an_added_and_a_removed_cell_are_named() -> None:
    """By number and first line."""
    one, other = _parts(["a = 1"], []), _parts(["a = 1", "b = 2\nc = 3"], [])
    assert differences(one.to_json(), other) == ("code added: cell 2 (b = 2)",)
    assert differences(other.to_json(), one) == ("code removed: cell 2 (b = 2)",)


def test_another_python_is_named() -> None:
    """The version is part of the fingerprint."""
    parts = _parts([], [])
    before = {**parts.to_json(), "python": "3.9.0"}
    assert differences(before, parts) == (f"Python: 3.9.0 → {parts.python}",)


def test_another_kernel_is_another_key_and_is_named() -> None:
    """Another language has no version of Python."""
    stage = Stage(name="s", notebook=Path("n.ipynb"))
    bash = replace(stage, kernel=Kernel(name="bash", language="bash"))
    own, other = (parts_of(each, _notebook([], []), {}, {}) for each in (stage, bash))
    assert own.key != other.key
    assert differences(own.to_json(), other) == (
        "kernel: mlkit's own → bash",
        f"Python: {own.python} → none",
    )


NO_TAGS: frozenset[str] = frozenset()
PROSE = st.lists(st.sampled_from(["# A", "# B", "words"]), max_size=3)


def _shown(
    prose: list[str], code: list[str], tags: frozenset[str] = NO_TAGS, kind: str = "html"
) -> Parts:
    """The parts of a stage whose executed notebook is an output: words first, then code."""
    cells = [("markdown", text) for text in prose] + [("code", text) for text in code]
    notebook = parse_document(
        {
            "nbformat": 4,
            "cells": [
                {"cell_type": what, "source": text, "metadata": {"tags": sorted(tags)}}
                for what, text in cells
            ],
        },
        Path("n.ipynb"),
    )
    stage = Stage(
        name="s",
        notebook=Path("n.ipynb"),
        declared={},
        outputs={"o": Output.of(f"@notebook.{kind}")},
    )
    return parts_of(stage, notebook, {}, {})


@given(PROSE, PROSE)
def test_prose_counts_where_the_notebook_is_an_output(one: list[str], other: list[str]) -> None:
    """A report shows its words: it is another one exactly if they are, and each change is named."""
    a, b = _shown(one, ["x = 1"]), _shown(other, ["x = 1"])
    assert (a.key == b.key) == (one == other)
    told = differences(a.to_json(), b)
    assert bool(told) == (one != other)
    assert all(reason.startswith("prose ") for reason in told)


def test_a_report_is_told_from_itself_before_an_edit() -> None:
    """By the cell; words that only moved, because code came, are no reason of their own."""
    before = _shown(["# A", "words"], ["x = 1"])
    assert differences(before.to_json(), _shown(["# B", "words"], ["x = 1"])) == (
        "prose changed: cell 1 (# B)",
    )
    assert differences(before.to_json(), _shown(["# A", "words"], ["y = 2", "x = 1"])) == (
        "code added: cell 3 (y = 2)",
    )
    older = {key: value for key, value in before.to_json().items() if key != "prose"}
    assert differences(older, before) == (
        "prose added: cell 1 (# A)",
        "prose added: cell 2 (words)",
    )
    hidden = frozenset({"hide-input"})
    assert before.key == _shown(["# A", "words"], ["x = 1"], hidden).key  # a page heeds no tags
    assert len({_shown(["# A"], ["x = 1"], tags, "ipynb").key for tags in (hidden, NO_TAGS)}) == 2


def test_a_cell_that_an_execution_left_counts_for_nothing() -> None:
    """The next execution leaves it out: with it and without it the result is the same."""
    injected = Cell(
        index=1, id="i", kind="code", source="x = 5", tags=frozenset({"injected-parameters"})
    )
    plain, left = _notebook(["x = 1"], []), _notebook(["x = 1"], [])
    left = replace(left, cells=(*left.cells, injected))
    stage = Stage(name="s", notebook=Path("n.ipynb"), declared={}, outputs={})
    assert parts_of(stage, left, {}, {}).key == parts_of(stage, plain, {}, {}).key
    tagged = replace(injected, tags=frozenset({"parameters-injected"}))
    other = replace(left, cells=(*left.cells[:-1], tagged))
    assert parts_of(stage, other, {}, {}).key != parts_of(stage, plain, {}, {}).key


def test_a_change_is_shown_as_people_write_it() -> None:
    """Dates and numbers that JSON lacks in their plain form; two looks alike are told apart."""

    def told(one: Any, other: Any) -> str:
        return differences(_parts([], [], one).to_json(), _parts([], [], other))[0]

    assert told(math.nan, 1.5) == "parameter x: nan → 1.5"
    assert told(dt.date(2024, 1, 1), [dt.date(2024, 1, 2)]) == (
        'parameter x: 2024-01-01 → ["2024-01-02"]'
    )
    assert told("\u00e9", "e\u0301") == 'parameter x: "\\u00e9" → "e\\u0301"'
    assert told([math.nan], ["nan"]) == 'parameter x: [{"$float":"nan"}] → ["nan"]'
    a, b = _parts([], []), replace(_parts([], []), outputs={"p": "o.txt"})
    assert differences(a.to_json(), b) == ("output o: o.txt → none", "output p: none → o.txt")
