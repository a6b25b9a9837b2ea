"""A batch in a few lines, for people."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.observe.layout import columns

__all__ = ["printable", "remarks", "table"]


_WITHIN_NAMES = "\u200c\u200d\u200e\u200f"
"""Joiners (Persian, Sinhala) and marks of direction: a name is read as well without them."""


def printable(text: str, keep: str = "") -> str:
    """A text that does nothing to a terminal but stand there; of other letters some are kept."""
    return "".join(c if c.isprintable() or c in keep else _in_place_of(c) for c in text)


def _in_place_of(char: str) -> str:
    if char in _WITHIN_NAMES:
        return ""
    return " " if unicodedata.category(char) == "Zs" else "\ufffd"


def table(document: Mapping[str, Any], width: int = 80) -> str:
    """One line a submission: student, exercise, points or why there are none."""
    rows = [
        (printable(s["student"]), s["exercise"] or "?", _grade(s)) for s in document["submissions"]
    ]
    return columns(rows, width)


def _grade(submission: Mapping[str, Any]) -> str:
    if submission["status"] == "graded":
        return f"{submission['score']:g} of {submission['max']:g}"
    return str(submission["status"]).replace("_", " ")


def remarks(document: Mapping[str, Any], out: Path, others: Iterable[Path] = ()) -> Iterator[str]:
    """What to know besides: what could not be graded, how code was run, by what it was judged.

    Parameters
    ----------
    document : Mapping
        The batch's document.
    out : Path
        Where grades and feedback are.
    others : iterable of Path
        Folders with solutions of their own, perhaps, that nobody might think were used.
    """
    for submission in document["submissions"]:
        if submission["status"] == "ungradable":
            yield printable(f"ungradable: {submission['path']}: {'; '.join(submission['flags'])}")
    if document["isolation"] == "limited":
        yield "Graded without a sandbox (isolation: limited): bubblewrap is not to be had here."
    solutions = Path(document["solutions"])
    yield f"Graded by the solutions in {solutions}."
    for folder in dict.fromkeys(others):
        if (folder / "solutions").is_dir() and (folder / "solutions").resolve() != solutions:
            yield f"{folder / 'solutions'} was not used: --solutions DIR names other solutions."
    yield f"Grades and feedback are in {out}."
