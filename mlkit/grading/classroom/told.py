"""What was collected, in a few lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlkit.grading.batch_text import printable
from mlkit.grading.classroom.lateness import lateness_text
from mlkit.observe.layout import columns, paragraph

__all__ = ["collection_text"]

MOST = 20


def collection_text(document: Mapping[str, Any], width: int = 80) -> str:
    """The counts, who is late or missing, and every file that was not understood.

    Parameters
    ----------
    document : Mapping
        What `collect` gave.
    width : int
        What no line exceeds.
    """
    return printable("\n".join(_parts(document, width)), keep="\n")


def _parts(document: Mapping[str, Any], width: int) -> Iterator[str]:
    taken = document["submissions"]
    people = {student for s in taken for student in s["students"]}
    layouts = ", ".join(f"{name} {count}" for name, count in document["layouts"].items())
    yield paragraph(
        f"{_count(len(taken), 'submission')} of {_count(len(people), 'student')} "
        f"({', '.join(document['exercises']) or 'no known exercise'}; told by {layouts}).",
        width,
    )
    late = [s for s in taken if s["late"]]
    yield from _table("Late", late, width, _late)
    yield from _table(
        "Not handed in",
        document["missing"],
        width,
        lambda m: (m["student"], m["exercise"], ""),
    )
    yield from _table(
        "Not counted",
        document["superseded"],
        width,
        lambda s: (s["student"], s["source"], s["why"]),
    )
    for group in document["same_files"]:
        yield paragraph(f"The same file, byte for byte: {', '.join(group['files'])}.", width)
    for note in document["notes"]:
        yield paragraph(note, width)
    odd = document["not_understood"]
    if odd:
        yield ""
        yield f"Not understood: {_count(len(odd), 'file')}"
    for row in odd:  # all of them: nothing is passed over without a word
        yield columns([(row["source"],)], width, indent="  ")
        yield paragraph(f"{row['fact']}. {row['remedy']}", width, indent="    ", hanging="    ")
    if document["passed_over"]:
        yield ""
        yield paragraph(
            f"Passed over: {_count(len(document['passed_over']), 'file')} "
            "(no notebooks, or hidden); collection.json lists them.",
            width,
        )


def _late(submission: Mapping[str, Any]) -> tuple[str, str, str]:
    late_s = submission["late_s"]
    how = "told late" if late_s is None else f"{lateness_text(late_s)} late"
    off = f"{submission['off']:.0%} off" if submission["off"] else "nothing off"
    return submission["student"], submission["exercise"], f"{how}, {off}"


def _table(title: str, rows: list[Any], width: int, cells: Any) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield f"{title}: {len(rows)}"
    yield columns([cells(row) for row in rows[:MOST]], width, indent="  ")
    if len(rows) > MOST:
        yield f"  … and {len(rows) - MOST} more in collection.json"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
