"""Values are equal in every type or not at all: what a form gives back is held against this."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlkit.converting.snapshot import _state, _tell, _Watch, equal


class Holder:
    """An object whose pickle is made anew each time."""

    def __init__(self, *held: Any) -> None:
        self.held = held

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return (Holder, tuple(list(one) for one in self.held))


def test_a_difference_behind_many_equal_objects_is_seen() -> None:
    """The parts of objects are made for the comparison; another pair may get their identities."""
    text = "a text" * 3
    same = [Holder([text, text]) for _ in range(50)]
    again = [Holder([text, "".join(list(text))]) for _ in range(50)]  # other pickles, equal values
    assert equal(same, again)
    for last in range(1, 20):
        one, other = [*same[:last], Holder([text, 1])], [*again[:last], Holder([text, 2])]
        assert not equal(one, other)


CELLS: dict[str, list[Any]] = {
    "lists": [[1, 2], [3]],
    "tuples": [(1, 2), (3, 4)],
    "sets": [{1}, {2}],
    "numbers of two types": [1, 2.5],
    "nothing and not a number": [None, float("nan")],
    "texts and numbers": ["a", 1],
    "dictionaries": [{"a": 1}, {"b": 2}],
}


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
def test_objects_in_a_table_come_back_as_they_were(cells: list[Any], tmp_path: Path) -> None:
    """Parquet makes arrays of lists, which pandas calls equal: then pickle keeps the table."""
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    told = _tell("table", pd.DataFrame({"c": pd.Series(column, dtype=object)}), tmp_path)
    assert (told["kind"], told["form"]) == ("value", "joblib")


def test_a_plain_table_is_kept_as_parquet(tmp_path: Path) -> None:
    """Numbers, texts, dates with zones, ordered categories."""
    table = pd.DataFrame(
        {
            "n": [1.5, None],
            "t": ["a", None],
            "when": pd.date_range("2024-01-01", periods=2, tz="Europe/Zurich"),
            "c": pd.Categorical(["lo", "hi"], categories=["lo", "mid", "hi"], ordered=True),
        }
    )
    assert _tell("table", table, tmp_path)["form"] == "parquet"


def test_what_a_function_keeps_between_calls_is_seen() -> None:
    """In a default, in a closure, and in what a decorator wraps."""

    def wrapped(function: Any) -> Any:
        def inner(*values: Any) -> Any:
            return function(*values)

        return inner

    def grows(value: int, kept: list[int] = []) -> None:  # noqa: B006 - as notebooks have it
        kept.append(value)

    def counter() -> Any:
        count = 0

        def up(by: int) -> None:
            nonlocal count
            count += by

        return up

    for function in (grows, wrapped(grows), counter(), wrapped(counter())):
        before = _state(function)
        assert _state(function) == before
        function(1)
        assert _state(function) != before


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("json", json, "import json"),
        ("places", os.path, f"import {os.path.__name__} as places"),
        ("dedent", textwrap.dedent, "from textwrap import dedent"),
        ("Number", int, "from builtins import int as Number"),
        ("own", lambda: None, ""),
        ("Holder", type("Holder", (), {"__module__": "__main__"}), ""),
        ("gone", ModuleType("gone"), ""),
    ],
)
def test_a_module_or_function_of_a_module_is_told_by_its_import(
    name: str, value: Any, text: str, tmp_path: Path
) -> None:
    """However the notebook came by it; what it has made itself has none."""
    assert _tell(name, value, tmp_path)["import"] == text


def test_a_file_that_a_part_has_written_anew_is_not_read_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is its own, though an older one was there; for the next part it is one that was there."""
    monkeypatch.chdir(tmp_path)
    for name in ("new.txt", "old.txt"):
        (tmp_path / name).write_text("there before")
    watch = _Watch()
    watch.pause()
    watch.begin_part()
    (tmp_path / "new.txt").write_text("again")
    (tmp_path / "new.txt").read_text()
    with (tmp_path / "old.txt").open("a") as opened:
        opened.write("more")
    assert watch.pause()[0] == ["old.txt"]
    watch.begin_part()
    (tmp_path / "new.txt").read_text()
    assert watch.pause()[0] == ["new.txt"]
