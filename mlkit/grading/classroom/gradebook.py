"""What everybody has: the grader's points, the teacher's own, and what being late costs.

The order is fixed: the grader's points, then what manual.csv puts in their place, then what is off
for being late, then what manual.csv adds. So a teacher's adjustment is never cut.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.classroom.collect import MANIFEST, read_collection
from mlkit.grading.classroom.manual import MANUAL, Manual, read_manual
from mlkit.grading.classroom.roster import Roster, Student
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.results import feedback_place
from mlkit.grading.submissions import load_exercises
from mlkit.observe.layout import counted

__all__ = ["CheckGrade", "Gradebook", "Mark", "read_gradebook", "read_grades"]


@dataclass(frozen=True, kw_only=True)
class CheckGrade:
    """What one check earned."""

    id: str
    title: str
    hidden: bool
    points: float
    max: float
    status: str
    message: str = ""
    manual: bool = False


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a student has for one exercise.

    Parameters
    ----------
    exercise : str
        Its name.
    status : str
        `graded`, `not_attempted`, `ungradable`, or `missing` where nothing was handed in.
    raw : float
        The grader's points, with the teacher's in their place.
    off : float
        The share that is off for being late.
    adjust : float
        What the teacher adds.
    score, max : float
        What counts, and what there is to be had.
    checks : tuple of CheckGrade
        Check by check.
    comments : tuple of str
        The teacher's.
    flags : tuple of str
        What the grader noted.
    late_s : float or None
        How late; None if not late, or unknown.
    source : Path or None
        The submission's file.
    feedback : str
        The page about it, below the grades' folder; empty where there is none.
    participant : str
        Moodle's number of the student for this exercise; empty where it is not known.
    """

    exercise: str
    status: str
    raw: float
    score: float
    max: float
    off: float = 0.0
    adjust: float = 0.0
    checks: tuple[CheckGrade, ...] = ()
    comments: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    late: bool = False
    late_s: float | None = None
    source: Path | None = None
    feedback: str = ""
    participant: str = ""


@dataclass(frozen=True, kw_only=True)
class Gradebook:
    """The class, and what everybody has.

    Parameters
    ----------
    folder : Path
        The grades' folder.
    students : tuple of Student
        The roster, or all who handed in.
    exercises : tuple of str
        Those that anybody handed in, in order.
    known : Mapping
        The exercises that have a solution here.
    marks : Mapping
        (student's id, exercise) → mark; one for everybody and everything.
    rows : tuple of Mapping
        The grader's rows that count.
    unplaced : Mapping
        Student's id → what they handed in of which nobody can tell what it answers, and why.
    """

    folder: Path
    students: tuple[Student, ...]
    exercises: tuple[str, ...]
    known: Mapping[str, Exercise]
    marks: Mapping[tuple[str, str], Mark]
    rows: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = field(default=())
    unplaced: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def total(self, student: str) -> tuple[float, float]:
        """A student's points over all exercises, and what there is to be had."""
        mine = [self.marks[student, exercise] for exercise in self.exercises]
        return sum(mark.score for mark in mine), sum(mark.max for mark in mine)


def read_grades(folder: Path) -> dict[str, Any]:
    """What `mlkit grade` left in a folder.

    Raises
    ------
    GradingError
        If it is no such folder.
    """
    path = folder / "grades.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        rows = document["submissions"]
        for row in rows:
            row["path"] + row["student"] + row["exercise"] + row["status"]
            row["score"] + row["max"] + sum(check["points"] for check in row["checks"] or ())
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise GradingError(
            "there are no grades here that mlkit has written",
            path,
            remedy="Grade first: mlkit grade SUBMISSIONS --out DIR.",
        ) from error
    return dict(document)


def read_gradebook(
    folder: Path, *, collection: Path | None = None, manual: Path | None = None
) -> Gradebook:
    """Put together what everybody has.

    Parameters
    ----------
    folder : Path
        The grades' folder.
    collection : Path, optional
        The folder that `mlkit class collect` made; by default the one in which the graded files
        lie, if it is one.
    manual : Path, optional
        The teacher's own points; by default `manual.csv` in the grades' folder.

    Raises
    ------
    GradingError
        If a file is missing or broken, or names what is not there.
    """
    grades = read_grades(folder)
    collected = _collection(grades, collection)
    rows, handed_in, people = _rows(grades, collected)
    solutions = Path(grades.get("solutions", ""))
    known = load_exercises(solutions) if solutions.is_dir() else {}
    exercises = sorted({row["exercise"] for row in rows if row["exercise"]})
    checks = {
        name: [check["id"] for row in rows if row["exercise"] == name for check in row["checks"]]
        for name in exercises
    }
    for name in exercises:
        if name in known:
            checks[name] = [check.id for check in known[name].checks]
    if manual is not None and not manual.exists():
        raise GradingError("there is no such table", manual, code="E804")
    given = read_manual(manual or folder / MANUAL, Roster(people), checks)
    marks: dict[tuple[str, str], Mark] = {}
    for student in people:
        for exercise in exercises:
            mine = [m for m in given if (m.student, m.exercise) == (student.id, exercise)]
            tries = [
                _mark(row, handed_in.get(row["path"], {}), mine, known)
                for row in rows
                if row["exercise"] == exercise and student.id in row["students"]
            ]
            # Several count where all were graded: the best one then.
            best = max(tries, key=lambda mark: mark.score, default=None)
            mark = best or _missing(exercise, mine, known, rows)
            # The number is that of the member who handed in; others have numbers of their own.
            by = handed_in.get(str(mark.source), {}).get("students", [""])[0]
            marks[student.id, exercise] = (
                mark if by == student.id else replace(mark, participant="")
            )
    return Gradebook(
        folder=folder,
        students=people,
        exercises=tuple(exercises),
        known=known,
        marks=marks,
        rows=tuple(rows),
        notes=tuple(_notes(grades, rows)),
        unplaced=_unplaced(rows, handed_in),
    )


def _collection(
    grades: Mapping[str, Any], given: Path | None
) -> tuple[Path, dict[str, Any]] | None:
    """The collection that was graded, if it was one."""
    if given is not None:
        return given.absolute(), read_collection(given)
    for row in grades["submissions"]:
        home = Path(row["path"]).parent.parent
        if (home / MANIFEST).is_file():
            return home, read_collection(home)
    return None


def _rows(
    grades: Mapping[str, Any], collected: tuple[Path, dict[str, Any]] | None
) -> tuple[list[dict[str, Any]], dict[str, Mapping[str, Any]], tuple[Student, ...]]:
    """The grader's rows that count, what is known of each file, and the class."""
    rows = [{**row, "checks": row["checks"] or []} for row in grades["submissions"]]
    if collected is None:
        rows = [{**row, "students": [row["student"]]} for row in rows]
        people = sorted({row["student"] for row in rows})
        return rows, {}, tuple(Student(id=name, name=name) for name in people)
    home, document = collected
    handed_in = {str(home / s["file"]): s for s in document["submissions"]}
    counting = [
        {**row, "students": handed_in[row["path"]]["students"]}
        for row in rows
        if row["path"] in handed_in
    ]
    return counting, handed_in, tuple(Student(**student) for student in document["roster"])


def _unplaced(
    rows: Sequence[Mapping[str, Any]], handed_in: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, ...]]:
    """Whose files answer no exercise that anybody knows: broken ones under names of their own."""
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if not row["exercise"]:
            source = handed_in.get(row["path"], {}).get("source", row["path"])
            told = f"{Path(source).name} ({'; '.join(row['flags'] or ()) or row['status']})"
            for student in row["students"]:
                found[student] = (*found.get(student, ()), told)
    return found


def _notes(grades: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = []
    if grades.get("complete") is False:
        notes.append("The grading has not come to its end: some are missing.")
    left_out = len(grades["submissions"]) - len(rows)
    if left_out:
        count = "counts" if left_out == 1 else "count"
        said = f"{counted(left_out, 'graded file')} {count} no more"
        notes.append(f"{said}: the collection has others.")
    return notes


def _mark(
    row: Mapping[str, Any],
    handed_in: Mapping[str, Any],
    manual: Sequence[Manual],
    known: Mapping[str, Exercise],
) -> Mark:
    checks = _checks(row, manual, known)
    replaced = {m.check: m.points for m in manual if m.points is not None}
    raw = replaced.get("", sum(c.points for c in checks) if checks else row["score"])
    assert raw is not None
    off, adjust = handed_in.get("off", 0.0), sum(m.adjust for m in manual)
    status = "graded" if row["status"] == "ungradable" and "" in replaced else row["status"]
    return Mark(
        exercise=row["exercise"],
        status=status,
        raw=raw,
        off=off,
        adjust=adjust,
        score=round(max(0.0, raw * (1 - off) + adjust), 4),
        max=row["max"],
        checks=checks,
        comments=tuple(_comment(m) for m in manual if m.comment),
        flags=tuple(row["flags"] or ()),
        late=bool(handed_in.get("late")),
        late_s=handed_in.get("late_s"),
        source=Path(row["path"]),
        feedback=feedback_place(row["student"], row["path"]),
        participant=handed_in.get("participant", ""),
    )


def _checks(
    row: Mapping[str, Any], manual: Sequence[Manual], known: Mapping[str, Exercise]
) -> tuple[CheckGrade, ...]:
    specs = {c.id: c for c in known[row["exercise"]].checks} if row["exercise"] in known else {}
    replaced = {m.check: m.points for m in manual if m.check and m.points is not None}
    return tuple(
        CheckGrade(
            id=check["id"],
            title=specs[check["id"]].title if check["id"] in specs else check["id"],
            hidden=specs[check["id"]].hidden if check["id"] in specs else False,
            points=replaced.get(check["id"], check["points"]) or 0.0,
            max=check["max"],
            status=check["status"],
            message=check["message"],
            manual=check["id"] in replaced,
        )
        for check in row["checks"]
    )


def _comment(manual: Manual) -> str:
    return f"{manual.check}: {manual.comment}" if manual.check else manual.comment


def _missing(
    exercise: str,
    manual: Sequence[Manual],
    known: Mapping[str, Exercise],
    rows: Sequence[Mapping[str, Any]],
) -> Mark:
    """Nothing was handed in; a teacher may have given points all the same."""
    given = [m.points for m in manual if m.points is not None and not m.check]
    by_check = sum(m.points for m in manual if m.points is not None and m.check)
    raw = given[0] if given else by_check
    adjust = sum(m.adjust for m in manual)
    most = max(row["max"] for row in rows if row["exercise"] == exercise)
    return Mark(
        exercise=exercise,
        status="graded" if given or by_check else "missing",
        raw=raw,
        adjust=adjust,
        score=round(max(0.0, raw + adjust), 4),
        max=known[exercise].max_points if exercise in known else most,
        comments=tuple(_comment(m) for m in manual if m.comment),
    )
