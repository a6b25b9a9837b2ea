"""A learner's progress over all exercises: solved, attempted, not attempted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.grading.batch import Batch, grade_batch
from mlkit.grading.exercise.handout import home_of
from mlkit.grading.exercise.source import GIVEN, Exercise, is_given
from mlkit.grading.submissions import find_solutions, load_exercises
from mlkit.observe.layout import columns

__all__ = ["check_notebooks", "checks_text", "progress", "rows_text"]

SIGNS: Mapping[str, str] = {
    "solved": "✓ solved",
    "attempted": "✗ attempted",
    "not_attempted": "· not attempted",
    "ungradable": "! cannot be read",
    "missing": "· no notebook",
}


def progress(
    folder: Path | None,
    solutions: Path | None,
    say: Callable[[str], None],
    *,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """Grade one's own copy of every exercise.

    Parameters
    ----------
    folder : Path or None
        The learner's notebooks; None: those of the folder for learners that is worked in, else
        `exercises/` beside the solutions.
    solutions : Path or None
        Where the solutions are; None looks for them.
    say : callable
        Told each grade as it comes.
    only : collection of str, optional
        The names of the exercises to look at; by default all.

    Returns
    -------
    dict
        `{"folder", "hidden_checks", "exercises": [{"name", "title", "status", "score", "max"}]}`;
        the status is `solved`, `attempted`, `not_attempted`, `ungradable` or `missing`. In a folder
        for learners, which has no hidden checks, `solved` speaks of the visible ones.

    Raises
    ------
    GradingError
        If the solutions or the learner's folder are missing.
    """
    home, work = _shelf(folder, solutions)
    if not work.is_dir():
        raise GradingError("there is no such folder of exercises", work)
    known = load_exercises(home)
    exercises = {name: item for name, item in known.items() if only is None or name in only}
    mine = [work / f"{name}.ipynb" for name in exercises if (work / f"{name}.ipynb").exists()]
    graded: dict[str, Mapping[str, Any]] = {}
    if mine:
        document = grade_batch(Batch(paths=mine, solutions=home, trust=True), say)
        graded = {submission["exercise"]: submission for submission in document["submissions"]}
    rows = [_row(exercise, graded.get(name)) for name, exercise in exercises.items()]
    return {"folder": str(work), "hidden_checks": not is_given(home), "exercises": rows}


def _shelf(folder: Path | None, solutions: Path | None) -> tuple[Path, Path]:
    """By what is graded, and where the learner's notebooks are.

    A learner in a folder for learners is graded by what that folder knows; nobody else is.
    """
    home = None if solutions is not None else home_of((folder or Path.cwd()).absolute())
    if home is not None:
        return home / GIVEN, (folder or home / "exercises").absolute()
    by = find_solutions(solutions)
    return by, (folder or by.parent / "exercises").absolute()


def check_notebooks(words: Sequence[str], hints: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the checks of one's own notebooks, as they are saved.

    Parameters
    ----------
    words : sequence of str
        Names of exercises, or notebooks; by default all of the folder worked in.
    hints : int
        How many hints to give beside each check that is not passed.
    say : callable
        Told each grade as it comes.

    Returns
    -------
    dict
        `{"folder", "passed", "exercises": [{"name", "path", "status", "flags", "checks": [{"id",
        "title", "status", "message", "hints"}]}]}`.

    Raises
    ------
    GradingError
        If there is no such exercise.
    """
    files = [Path(word).absolute() for word in words if Path(word).suffix == ".ipynb"]
    by, work = _shelf(files[0].parent if files else None, None)
    known = load_exercises(by)
    paths = [_notebook(word, work, known) for word in words]
    paths = paths or [p for p in (work / f"{name}.ipynb" for name in known) if p.exists()]
    document = grade_batch(Batch(paths=paths, solutions=by, trust=True), say)
    rows = [_checked(one, known.get(one["exercise"]), hints) for one in document["submissions"]]
    passed = all(c["status"] == "passed" for row in rows for c in row["checks"])
    graded = all(row["status"] != "ungradable" for row in rows)
    return {"folder": str(work), "passed": passed and graded, "exercises": rows}


def _notebook(word: str, work: Path, known: Collection[str]) -> Path:
    """The notebook that a word of the command line means."""
    if Path(word).suffix == ".ipynb":
        return Path(word).absolute()
    if word not in known:
        near = get_close_matches(word, known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known)}."
        raise GradingError(f"there is no exercise {word!r}", work, remedy=remedy, code="E801")
    return work / f"{word}.ipynb"


def _checked(
    submission: Mapping[str, Any], exercise: Exercise | None, hints: int
) -> dict[str, Any]:
    specs = {spec.id: spec for spec in exercise.checks} if exercise else {}
    return {
        "name": submission["exercise"] or Path(submission["path"]).stem,
        "path": submission["path"],
        "status": submission["status"],
        "flags": submission["flags"],
        "checks": [
            {
                "id": check["id"],
                "title": specs[check["id"]].title,
                "status": check["status"],
                "message": check["message"],
                "hints": [] if check["status"] == "passed" else specs[check["id"]].hints[:hints],
            }
            for check in submission["checks"]
        ],
    }


def checks_text(document: Mapping[str, Any]) -> str:
    """Each exercise's checks, and what the learner is to read of them."""
    lines: list[str] = []
    for row in document["exercises"]:
        lines.append(row["name"])
        if row["status"] == "ungradable":
            lines += [f"  ! {flag}" for flag in row["flags"]]
        for check in row["checks"]:
            mark = {"passed": "✓ passed", "not_attempted": "· not attempted"}
            lines.append(f"  {mark.get(check['status'], '✗ not yet')}: {check['title']}")
            if check["status"] not in mark:
                lines.append(f"      {check['message']}")
            lines += [f"      Hint {n}: {hint}" for n, hint in enumerate(check["hints"], start=1)]
    return "\n".join(lines)


def _row(exercise: Exercise, submission: Mapping[str, Any] | None) -> dict[str, Any]:
    """One line of the table."""
    score = submission["score"] if submission else 0
    status = submission["status"] if submission else "missing"
    if status == "graded":
        status = "solved" if score == exercise.max_points else "attempted"
    return {
        "name": exercise.name,
        "title": exercise.title,
        "status": status,
        "score": score,
        "max": exercise.max_points,
    }


def rows_text(document: Mapping[str, Any], width: int = 80) -> str:
    """One line an exercise: status, points, name and title."""
    rows = [
        (SIGNS[row["status"]], f"{row['score']:g} of {row['max']:g}", row["name"], row["title"])
        for row in document["exercises"]
    ]
    return columns(rows, width)
