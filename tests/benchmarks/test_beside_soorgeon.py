"""The check of both tools' pipelines is neither one's own, and can fail."""

from __future__ import annotations

from pathlib import Path

import nbformat.v4
import pytest

from benchmarks.beside_soorgeon import SHAPES, Outcome, missing, table

nb4 = nbformat.v4


def shows(path: Path, *texts: str) -> Path:
    """A notebook whose cells have printed these."""
    cells = [
        nb4.new_code_cell("", outputs=[nb4.new_output("stream", text=text)])  # type: ignore[no-untyped-call]  # it has no types
        for text in texts
    ]
    nbformat.write(nb4.new_notebook(cells=cells), path)  # type: ignore[no-untyped-call]  # it has no types
    return path


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([["a 1\nb 2", "a 1"], ["at 0x7f3"]], 0),
        ([["a 1\nb 2"], ["at 0x1"]], 1),
        ([["a 1\nb 3", "a 1"]], 2),
        ([], 4),
    ],
)
def test_a_line_that_no_stage_shows_is_missing(
    stages: list[list[str]], expected: int, tmp_path: Path
) -> None:
    """As often as the original shows it; addresses are another in each process."""
    original = shows(tmp_path / "original.ipynb", "a 1\nb 2", "a 1", "at 0x5ae")
    made = [shows(tmp_path / f"{n}.ipynb", *texts) for n, texts in enumerate(stages)]
    assert missing(original, made) == expected


def test_the_table_counts_what_is_green_and_what_shows_all() -> None:
    """A pipeline that runs and shows something else is green only."""
    right = Outcome(converts=True, green=True, stages=3, missing=0)
    other = Outcome(converts=True, green=True, stages=1, missing=2)
    lines = table({"x": (right, other), "y": (right, Outcome(converts=False))}).splitlines()
    assert lines[2:] == [
        "| x | 3 stages, green | 1 stage, green, 2 lines differ |",
        "| y | 3 stages, green | not converted |",
        "| green, of 2 | 2 | 1 |",
        "| and show all, of 2 | 2 | 0 |",
    ]
    assert len(SHAPES) == 10
