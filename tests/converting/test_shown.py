"""What a cell shows is held against two runs of the original, line by line."""

from __future__ import annotations

from typing import Any

import pytest

from mlkit.converting.shown import compare_lines, lines_of


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    """What a cell prints."""
    return {"output_type": "stream", "name": name, "text": text}


def test_all_that_is_shown_is_there() -> None:
    """Printed in pieces, results with their forms, and the error; no picture, no widget."""
    data = {"text/plain": "x", "text/html": ["<b>\n", "x</b>"], "image/png": "…"}
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
    outputs = [
        stream("a\nb"),
        {"output_type": "execute_result", "data": data},
        stream("c\n"),
        {"output_type": "display_data", "data": widget},
        {"output_type": "error", "ename": "KeyError", "evalue": "'k'"},
        stream("logged\n", "stderr"),
    ]
    assert lines_of(outputs) == ("a", "bc", "logged", "<b>", "x</b>", "x", "KeyError: 'k'")


@pytest.mark.parametrize(
    "text",
    [
        "Wall time: 3 ms\n",
        "CPU times: user 1 ms, sys: 2 ms, total: 3 ms\n",
        "3 ns ± 1 ns per loop (mean ± std. dev. of 7 runs, 100 loops each)\n",
    ],
)
def test_timings_are_no_result(text: str) -> None:
    """They may be the same twice by chance."""
    assert lines_of([stream(f"x\n{text}y\n")]) == ("x", "y")


def test_warnings_and_addresses_are_those_of_a_process() -> None:
    """A library warns once in a process; the line under it is its code."""
    warned = "/lib/a.py:3: FutureWarning: old\n  call()\nmine\n"
    assert lines_of([stream(warned, "stderr")]) == ("mine",)
    assert lines_of([stream("<A at 0x7f3a12345678>")]) == ("<A at 0x…>",)


@pytest.mark.parametrize(
    ("one", "two", "now", "expected"),
    [
        (["a", "b"], ["a", "b"], ["a", "b"], True),
        (["a", "b"], ["a", "b"], ["a", "c"], False),
        (["a"], ["a"], [], False),
        ([], [], ["a"], False),
        (["a", "1"], ["a", "2"], ["a", "1"], None),  # never equal, whatever came out
        (["a", "1"], ["a", "2"], ["b", "3"], False),  # what is steady is held against it
        (["a"], ["a", "b"], ["a"], None),
    ],
)
def test_verdicts(one: list[str], two: list[str], now: list[str], expected: Any) -> None:
    """A line that the original's own runs disagree on hides no other."""
    same, why = compare_lines(one, two, now)
    assert same is expected
    assert bool(why) is not (expected is True)
