"""Runs and stages as tables of text."""

from __future__ import annotations

import json
from pathlib import Path

from mlkit.core.record import RunRecord
from mlkit.reports.listing import columns, run_json, runs_text, show_text


def test_columns_are_aligned_and_empty_ones_vanish() -> None:
    """Without blanks at the ends of lines."""
    rows = [("a", "", "long one"), ("bbb", "", "")]
    assert columns(rows, indent="> ") == "> a    long one\n> bbb"
    assert columns([]) == ""


def test_runs_are_listed_with_state_and_counts(green: RunRecord, red: RunRecord) -> None:
    """One line each, a heading above."""
    heading, first, second = runs_text([red, green]).splitlines()
    assert heading.split()[:2] == ["RUN", "STATE"]
    assert first.startswith(f"{red.run_id}  ✗ failed")
    assert "6 upstream failed" in first
    assert "✓ succeeded" in second
    assert "32.5 s" in second


def test_no_run_says_how_to_start_one() -> None:
    """Instead of an empty table."""
    assert runs_text([]) == "No run yet. Start one with: mlkit run"


def test_a_run_is_shown_with_everything_on_a_line_for_each_stage(red: RunRecord) -> None:
    """The verdict first, the outputs last."""
    text = show_text(red, folder=Path("/project"))
    assert text.startswith(f"✗ Run {red.run_id} of pipeline flights failed")
    assert "mlkit resume" in text
    assert "  rows    500" in text
    line = next(row for row in text.splitlines() if row.startswith("train[xgboost]"))
    assert line.split()[1:4] == ["✗", "failed", "2"]
    assert "ValueError: Input X contains NaN." in line
    assert text.splitlines()[-1].endswith("metrics.json")


def test_the_json_of_a_run_is_short_and_plain(green: RunRecord) -> None:
    """Without its stages, but with their counts."""
    document = run_json(green)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert "stages" not in document
    assert document["counts"] == {"succeeded": 16, "cached": 1, "skipped": 1}
