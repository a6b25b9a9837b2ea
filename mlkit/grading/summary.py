"""A batch in a few lines, for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.observe.layout import columns

__all__ = ["printable", "remarks", "table"]


def printable(text: str) -> str:
    """A text that does nothing to a terminal but stand there."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


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


def remarks(document: Mapping[str, Any], out: Path) -> Iterator[str]:
    """What to know besides: what could not be graded, how code was run, where things are."""
    for submission in document["submissions"]:
        if submission["status"] == "ungradable":
            yield printable(f"ungradable: {submission['path']}: {'; '.join(submission['flags'])}")
    if document["isolation"] == "limited":
        yield "Graded without a sandbox (isolation: limited): bubblewrap is not to be had here."
    yield f"Grades and feedback are in {out}."
