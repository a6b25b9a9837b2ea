"""Points and comments of the teacher's own, in a file that no grading ever writes.

`manual.csv` beside the grades has the columns `student`, `exercise`, `check`, `points`, `adjust`,
`comment`. `points` stands in place of what the grader gave (to one check, or without a check to the
whole exercise); `adjust` is added to it. A comment is shown to the student.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.classroom.roster import Roster
from mlkit.grading.tables import Row, Table, did_you_mean, number_in, read_table

__all__ = ["MANUAL", "Manual", "read_manual"]

MANUAL: Final = "manual.csv"
COLUMNS = ("student", "exercise", "check", "points", "adjust", "comment")


@dataclass(frozen=True, kw_only=True)
class Manual:
    """One line: what a teacher has decided.

    Parameters
    ----------
    student, exercise : str
        Whose, and of what.
    check : str
        The check's id; empty: the whole exercise.
    points : float or None
        In place of the grader's; None: those stay.
    adjust : float
        Added.
    comment : str
        For the student.
    """

    student: str
    exercise: str
    check: str = ""
    points: float | None = None
    adjust: float = 0.0
    comment: str = ""


def read_manual(
    path: Path, roster: Roster, checks: Mapping[str, Collection[str]]
) -> tuple[Manual, ...]:
    """Read a teacher's own points; nothing if there is no such file.

    Parameters
    ----------
    path : Path
        The table.
    roster : Roster
        Whom it may name.
    checks : Mapping
        Exercise → the ids of its checks.

    Raises
    ------
    GradingError
        If a line names nobody, no exercise, no check, or holds no number; the line is named.
    """
    if not path.exists():
        return ()
    table = read_table(path)
    _refuse_slips(table)
    given = [_manual(row, roster, checks) for row in table.rows]
    seen: dict[tuple[str, str, str], int] = {}
    for row, line in zip(table.rows, given, strict=True):
        if line.points is None:
            continue
        key = (line.student, line.exercise, line.check)
        if key in seen:
            raise row.wrong(
                f"line {seen[key]} gives {line.student} points for the same already",
                "Leave one of them; 'adjust' and 'comment' may stand several times.",
            )
        seen[key] = row.line
    return tuple(given)


def _refuse_slips(table: Table) -> None:
    """A column that is nearly one that counts: what stands there would be lost without a word."""
    import difflib  # slow to import

    for title in table.titles:
        name = title.strip().casefold()
        near = difflib.get_close_matches(name, COLUMNS, 1, 0.75)
        if near and name not in COLUMNS and not table.has(near[0]):
            raise GradingError(
                f"there is a column {title!r}, and none called {near[0]!r}",
                table.file,
                1,
                remedy=f"Call it {near[0]!r}; a column of your own has another name.",
            )


def _manual(row: Row, roster: Roster, checks: Mapping[str, Collection[str]]) -> Manual:
    who, exercise, check = row.get("student", "id"), row.get("exercise"), row.get("check")
    found = roster.find(who)
    if len(found) != 1:
        raise row.wrong(
            f"{who!r} is {'more than one person' if found else 'nobody of this class'}",
            did_you_mean(who, (student.id for student in roster)),
        )
    if exercise not in checks:
        raise row.wrong(f"there is no exercise {exercise!r}", did_you_mean(exercise, checks))
    if check and check not in checks[exercise]:
        raise row.wrong(f"{exercise} has no check {check!r}", did_you_mean(check, checks[exercise]))
    return Manual(
        student=found[0].id,
        exercise=exercise,
        check=check,
        points=_number(row, "points"),
        adjust=_number(row, "adjust") or 0.0,
        comment=row.get("comment"),
    )


def _number(row: Row, title: str) -> float | None:
    text = row.get(title)
    if not text:
        return None
    value = number_in(text)
    if value is None:
        raise row.wrong(
            f"{text!r} in the column {title!r} is no number", "Write it as 7, 7.5 or -1."
        )
    return value
