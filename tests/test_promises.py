"""The table of promises has no empty cell, and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "promises.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def test_no_cell_is_empty() -> None:
    """Promise, how it is kept, and the test that proves it."""
    rows = _rows()
    assert len(rows) > 30
    assert [row for row in rows if len(row) != 3 or not all(row)] == []


def test_every_test_that_is_named_exists() -> None:
    """With that name, in that file."""
    missing = []
    for row in _rows():
        named = re.findall(r"`(tests/[^`]+)::(test_\w+)`", row[2])
        assert named, row
        for file, name in named:
            if f"def {name}(" not in (ROOT / file).read_text():
                missing.append(f"{file}::{name}")
    assert missing == []
