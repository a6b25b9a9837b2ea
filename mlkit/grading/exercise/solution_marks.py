"""The marks in an answer cell that say what learners do not get, and slips in them. Pure.

A mark is a line of its own. What is nearly one would leave the model answer in what learners get,
without a word; so it is a fault, and so is a mark without its other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mlkit.core.slips import is_slip

__all__ = ["BEGIN", "BEGIN_STUB", "END", "END_STUB", "faults_of_marks", "first_mark"]

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_STUB, END_STUB = "### BEGIN STUB", "### END STUB"
ENDS: Final = {BEGIN: END, BEGIN_STUB: END_STUB}
BEGINS: Final = {end: begin for begin, end in ENDS.items()}
MARKS: Final = (BEGIN, END, BEGIN_STUB, END_STUB)


def faults_of_marks(source: str) -> Iterator[tuple[str, str]]:
    """What is wrong with the marks of an answer: what the cell has, and what to do.

    A slip counts as the mark that was meant, so that one slip is one fault.
    """
    opened = ""
    for line in source.splitlines():
        mark = _meant(line)
        if mark and mark != line.strip():
            yield f"has the line {line.strip()!r}, which is no mark", f"Did you mean {mark!r}?"
        if mark in ENDS:
            if opened:
                remedy = f"Put {ENDS[opened]!r} above it, or take one of the two away."
                yield f"has {mark!r} where {ENDS[opened]!r} is still to come", remedy
            opened = mark
        elif mark:
            if opened != BEGINS[mark]:
                remedy = f"Put {BEGINS[mark]!r} above what learners do not get, or take it away."
                yield f"has {mark!r} with no {BEGINS[mark]!r} before it", remedy
            opened = ""
    if opened:
        remedy = f"Put {ENDS[opened]!r} below what learners do not get."
        yield f"has {opened!r} with no {ENDS[opened]!r} after it", remedy


def first_mark(source: str, *, code: bool) -> str:
    """The first line that is a mark, or in code nearly one; empty if none is."""
    lines = (line.strip() for line in source.splitlines())
    return next((line for line in lines if line in MARKS or (code and _meant(line))), "")


def _meant(line: str) -> str:
    """The mark that a line is, or was to be; empty for any other line."""
    text = line.strip()
    if text in MARKS or not text.startswith("#"):
        return text if text in MARKS else ""
    told = _letters(text)
    # A plain comment may well speak of a solution; what shouts like a mark was to be one.
    loud = text.startswith("##") or text == text.upper()
    for mark in MARKS:
        word = _letters(mark)
        if told == word or (loud and (told.startswith(word) or is_slip(told, word))):
            return mark
    return ""


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalpha())
