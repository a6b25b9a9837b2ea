"""What a class's work teaches its teacher: one document, and the same in text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.grading.batch_text import printable
from mlkit.grading.classroom.alike import alike, answers_in
from mlkit.grading.classroom.gradebook import Gradebook
from mlkit.grading.classroom.item_analysis import exercises_of
from mlkit.grading.results import REGRADES
from mlkit.observe.layout import columns, counted, paragraph

__all__ = ["learn_from", "learning_text"]

SHOWN = 20


def learn_from(book: Gradebook) -> dict[str, Any]:
    """Item analysis, equal answers, and what regrading changed.

    Returns
    -------
    dict
        `{"students", "exercises", "alike", "regrades", "notes"}`.
    """
    answers = [
        answer
        for row in book.rows
        if row["exercise"] in book.known and row["status"] == "graded"
        for answer in answers_in(Path(row["path"]), row["student"], book.known[row["exercise"]])
    ]
    unknown = [name for name in book.exercises if name not in book.known]
    notes = [*book.notes]
    if unknown:
        notes.append(
            f"The solutions of {', '.join(unknown)} are gone: titles, misconceptions and equal "
            "answers of these cannot be told."
        )
    return {
        "students": len(book.students),
        "exercises": exercises_of(book),
        "alike": alike(
            answers, {name: book.known[name] for name in book.exercises if name in book.known}
        ),
        "regrades": _regrades(book.folder),
        "notes": notes,
    }


def _regrades(folder: Path) -> list[dict[str, Any]]:
    """What regrading changed, the latest last; a line that is none is passed over."""
    try:
        lines = (folder / REGRADES).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    changes = []
    for line in lines:
        try:
            change = json.loads(line)
            before, after = change["before"], change["after"]
            moved = {
                check: [before["checks"].get(check, 0), points]
                for check, points in after["checks"].items()
                if before["checks"].get(check, 0) != points
            }
            changes.append(
                {
                    **{name: str(change[name]) for name in ("time", "student", "exercise")},
                    "before": float(before["score"]),
                    "after": float(after["score"]),
                    "checks": moved,
                }
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # cut off by a kill while it was written
    return changes


def learning_text(document: Mapping[str, Any], width: int = 80) -> str:
    """The document for people, in lines of at most a width."""
    return printable("\n".join(_parts(document, width)).strip(), keep="\n")


def _parts(document: Mapping[str, Any], width: int) -> Iterator[str]:
    for note in document["notes"]:
        yield paragraph(note, width)
    yield columns(
        [_exercise_row(exercise) for exercise in document["exercises"]],
        width,
        head=("exercise", "graded", "full", "mean", "r", "look at"),
        rule=True,
    )
    for exercise in document["exercises"]:
        yield ""
        yield paragraph(f"{exercise['name']}: {exercise['title']}", width)
        yield columns(
            [_check_row(check) for check in exercise["checks"]],
            width,
            head=("check", "passed", "r", "look at"),
            rule=True,
            indent="  ",
        )
        yield from _sentences(exercise, width)
    yield from _alike(document["alike"], width)
    yield from _changes(document["regrades"], width)
    yield ""
    yield paragraph(
        "mean: the share of the points that were earned. r: the correlation with the points for "
        "everything else, +1.00 at best; in a small class mostly chance, so that something is said "
        "of it only where it is certain.",
        width,
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _r(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def _exercise_row(exercise: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        exercise["name"],
        f"{exercise['graded']} of {exercise['submissions']}",
        str(exercise["full"]),
        _percent(exercise["difficulty"]),
        _r(exercise["discrimination"]),
        exercise["says"],
    )


def _check_row(check: Mapping[str, Any]) -> tuple[str, ...]:
    hidden = " (hidden)" if check["hidden"] else ""
    passed = f"{check['passed']} of {check['submissions']}"
    return f"{check['title']}{hidden}", passed, _r(check["discrimination"]), check["says"]


def _sentences(exercise: Mapping[str, Any], width: int) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for check in exercise["checks"]:
        counts.update({s["says"]: s["count"] for s in check["sentences"] if s["count"]})
    said = [(f"{count} ×", says) for says, count in counts.most_common()]
    if said:
        yield "  What was said, and how often"
        yield columns(said[:SHOWN], width, indent="    ")


def _alike(found: Mapping[str, Any], width: int) -> Iterator[str]:
    if not found["answers"]:
        return
    yield ""
    yield paragraph(
        "Look at these: answers that are equal but for names and comments. That proves nothing of "
        "how they came about.",
        width,
    )
    rows = [
        (
            f"{shared['exercise']}/{shared['answer']}",
            ", ".join(shared["students"]),
            "to the letter" if shared["to_the_letter"] else "",
        )
        for shared in found["answers"][:SHOWN]
    ]
    yield columns(rows, width, indent="  ")
    several = [pair for pair in found["pairs"] if len(pair["answers"]) > 1]
    for pair in several[:SHOWN]:
        names = " and ".join(pair["students"])
        yield paragraph(
            f"{names} share {len(pair['answers'])} answers.", width, indent="  ", hanging="  "
        )
    if len(found["answers"]) > SHOWN:
        yield f"  … and {len(found['answers']) - SHOWN} more answers (--json has all)"


def _changes(changes: list[Mapping[str, Any]], width: int) -> Iterator[str]:
    if not changes:
        return
    up = sum(change["after"] > change["before"] for change in changes)
    down = sum(change["after"] < change["before"] for change in changes)
    yield ""
    yield f"Regrading changed {counted(len(changes), 'grade')}: {up} up, {down} down"
    rows = [
        (
            change["student"],
            change["exercise"],
            f"{change['before']:g} → {change['after']:g}",
            ", ".join(change["checks"]),
        )
        for change in changes[-SHOWN:]
    ]
    yield columns(rows, width, indent="  ")
