"""How the code of a notebook differs between two runs, cell by cell. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher, unified_diff
from itertools import zip_longest
from typing import Any

from mlkit.frozen import dataclass
from mlkit.reports.notebook_view import numbered, own_cells
from mlkit.reports.output_view import joined

__all__ = ["CellDifference", "CodeCell", "code_cells", "diff_cells"]


@dataclass(frozen=True, kw_only=True)
class CodeCell:
    """A code cell: its place in the notebook, from 1, and its source."""

    number: int
    source: str


@dataclass(frozen=True, kw_only=True)
class CellDifference:
    """One cell that differs.

    Parameters
    ----------
    left, right : int or None
        The cell's place in each notebook, from 1; None where it is missing.
    diff : str
        A unified diff of its lines.
    """

    left: int | None
    right: int | None
    diff: str


def code_cells(notebook: Mapping[str, Any]) -> tuple[CodeCell, ...]:
    """Give the code cells that the author wrote, without those that Papermill added."""
    found = []
    for cell, number in numbered(own_cells(notebook)):
        source = joined(cell.get("source")).strip()
        if cell.get("cell_type") == "code" and source and number is not None:
            found.append(CodeCell(number=number, source=source))
    return tuple(found)


def diff_cells(left: Sequence[CodeCell], right: Sequence[CodeCell]) -> tuple[CellDifference, ...]:
    """Pair the cells of two notebooks, and give those that differ.

    Cells that are equal hold the pairing together; between them, cells pair in their order.
    """
    matcher = SequenceMatcher(
        None, [c.source for c in left], [c.source for c in right], autojunk=False
    )
    return tuple(
        _difference(old, new)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
        for old, new in zip_longest(left[i1:i2], right[j1:j2])
    )


def _difference(old: CodeCell | None, new: CodeCell | None) -> CellDifference:
    lines = unified_diff(
        old.source.splitlines() if old else [],
        new.source.splitlines() if new else [],
        f"cell {old.number}" if old else "(no such cell)",
        f"cell {new.number}" if new else "(no such cell)",
        lineterm="",
    )
    return CellDifference(
        left=old.number if old else None,
        right=new.number if new else None,
        diff="\n".join(lines),
    )
