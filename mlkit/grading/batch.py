"""Grade many submissions: side by side, resumable, and none of them stops the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.grading.limits import Limits
from mlkit.grading.pool import Task, work_off
from mlkit.grading.results import Results, document
from mlkit.grading.sandbox import Isolation, isolation, why_limited
from mlkit.grading.source import Exercise
from mlkit.grading.submissions import (
    Found,
    find_solutions,
    find_submissions,
    is_own_work,
    load_exercises,
    match,
)
from mlkit.grading.summary import printable
from mlkit.grading.verdict import Verdict, ungradable

__all__ = ["Batch", "grade_batch"]

GRACE_S = 60


def _silent(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What to grade, and how.

    Parameters
    ----------
    paths : sequence of Path
        Notebooks, folders, or folders of students' folders.
    out : Path or None
        Where grades and feedback go; None writes nothing.
    solutions : Path or None
        Where the solutions are; None looks for them.
    workers : int or None
        How many at a time; None: one for each processor.
    trust : bool
        Whether to run other people's code without a sandbox.
    fresh : bool
        Whether to grade again what an earlier batch has graded.
    limits : Limits
        What one submission may use, where its exercise does not say otherwise.
    """

    paths: Sequence[Path]
    out: Path | None = None
    solutions: Path | None = None
    workers: int | None = None
    trust: bool = False
    fresh: bool = False
    limits: Limits = field(default_factory=Limits)


def grade_batch(batch: Batch, say: Callable[[str], None] = _silent) -> dict[str, Any]:
    """Grade a batch, and write its results.

    Parameters
    ----------
    batch : Batch
        What to grade.
    say : callable
        Told each submission's grade as it comes.

    Returns
    -------
    dict
        `{"isolation", "solutions", "submissions"}`, the submissions in the order in which they
        were found.

    Raises
    ------
    GradingError
        If nothing is there to grade, the solutions are missing, or a sandbox is needed and missing.
    """
    found = find_submissions(batch.paths)
    solutions = find_solutions(batch.solutions)
    walls = isolation()
    if walls == "limited" and not (batch.trust or is_own_work(batch.paths)):
        raise GradingError(
            f"other people's notebooks are graded in a sandbox only, and {why_limited()}",
            remedy="Install bubblewrap; or give --trust, if you would run this code yourself.",
        )
    verdicts = _verdicts(batch, found, solutions, say)
    if batch.out is not None:
        Results(batch.out).write(walls, solutions, verdicts)
    return document(walls, solutions, verdicts)


def _verdicts(
    batch: Batch, found: Sequence[Found], solutions: Path, say: Callable[[str], None]
) -> list[Verdict]:
    exercises = load_exercises(solutions, found)
    results = Results(batch.out) if batch.out is not None else None
    known: dict[Path, Verdict] = {}
    tasks: list[Task] = []
    keys: dict[str, str] = {}

    def done(task: Task, verdict: Verdict) -> None:
        known[Path(task.path)] = verdict
        say(_line(verdict, len(known), len(found)))
        if results is not None and verdict.status != "ungradable":
            results.remember(keys[task.path], verdict)

    for submission in found:
        try:
            exercise = match(submission.path, exercises)
        except GradingError as error:
            path = str(submission.path)
            known[submission.path] = ungradable(path, submission.student, error.message)
            continue
        if exercise is None:
            known[submission.path] = _unmatched(submission)
            continue
        solution = solutions / f"{exercise.name}.ipynb"
        task = _task(submission, exercise, solution, batch)
        if results is not None:
            keys[task.path] = results.key(submission.path, solution, isolation())
            earlier = None if batch.fresh else results.remembered(keys[task.path])
            if earlier is not None:
                known[submission.path] = earlier
                continue
        tasks.append(task)
    work_off(tasks, batch.workers or os.cpu_count() or 1, done)
    return [known[submission.path] for submission in found]


def _line(verdict: Verdict, done: int, total: int) -> str:
    grade = f"{verdict.score} of {verdict.max}" if verdict.status == "graded" else verdict.status
    return printable(f"[{done}/{total}] {verdict.student}/{Path(verdict.path).name}: {grade}")


def _unmatched(submission: Found) -> Verdict:
    reason = "the notebook answers no exercise that has a solution here"
    return ungradable(str(submission.path), submission.student, reason)


def _secret(solutions: Path, batch: Batch) -> tuple[Path, ...]:
    """Folders that must not be seen, should they lie below something that must."""
    checkout = solutions.parent
    folders = [solutions, checkout / "tests", checkout / ".git"]
    folders += [path.absolute() for path in batch.paths if path.is_dir()]
    return tuple(folder for folder in folders if folder.is_dir())


def _task(submission: Found, exercise: Exercise, solution: Path, batch: Batch) -> Task:
    walls: Isolation = isolation()
    limits = batch.limits.with_wishes(exercise.limits)
    return Task(
        path=str(submission.path),
        student=submission.student,
        exercise=exercise.name,
        max_points=exercise.max_points,
        request={
            "path": str(submission.path),
            "student": submission.student,
            "solution": str(solution),
            "isolation": walls,
            "secret": [str(folder) for folder in _secret(solution.parent, batch)],
            "limits": asdict(limits),
        },
        deadline_s=limits.total_s + GRACE_S,
    )
