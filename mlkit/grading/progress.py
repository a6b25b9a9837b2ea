"""A learner's progress over all exercises: solved, attempted, not attempted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.grading.batch import Batch, grade_batch
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.submissions import find_solutions, load_exercises
from mlkit.observe.layout import columns

__all__ = ["progress", "rows_text"]

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
        The learner's notebooks; None: `exercises/` beside the solutions.
    solutions : Path or None
        Where the solutions are; None looks for them.
    say : callable
        Told each grade as it comes.
    only : collection of str, optional
        The names of the exercises to look at; by default all.

    Returns
    -------
    dict
        `{"exercises": [{"name", "title", "status", "score", "max"}]}`; the status is `solved`,
        `attempted`, `not_attempted`, `ungradable` or `missing`.

    Raises
    ------
    GradingError
        If the solutions or the learner's folder are missing.
    """
    home = find_solutions(solutions)
    work = (folder or home.parent / "exercises").absolute()
    if not work.is_dir():
        raise GradingError("there is no such folder of exercises", work)
    known = load_exercises(home)
    exercises = {name: item for name, item in known.items() if only is None or name in only}
    mine = [work / f"{name}.ipynb" for name in exercises if (work / f"{name}.ipynb").exists()]
    graded: dict[str, Mapping[str, Any]] = {}
    if mine:
        document = grade_batch(Batch(paths=mine, solutions=home, trust=True), say)
        graded = {submission["exercise"]: submission for submission in document["submissions"]}
    return {"exercises": [_row(exercise, graded.get(name)) for name, exercise in exercises.items()]}


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
