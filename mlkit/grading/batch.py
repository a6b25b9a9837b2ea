"""Grade many submissions: side by side, resumable, and none of them stops the others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.pool import Task, work_off
from mlkit.grading.results import Results, document
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.trial import isolation, why_limited
from mlkit.grading.submissions import (
    Found,
    find_solutions,
    find_submissions,
    is_own_work,
    load_exercises,
    name_in,
)
from mlkit.grading.summary import printable
from mlkit.grading.verdict.verdict import Verdict, ungradable

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
        Where the solutions are; None: mlkit's own.
    pattern : str or None
        Where a student's name stands in a path (see `find_submissions`).
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
    pattern: str | None = None
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
    found = find_submissions(batch.paths, batch.pattern)
    solutions = find_solutions(batch.solutions)
    walls = isolation()
    if walls == "limited" and not (batch.trust or is_own_work(batch.paths)):
        raise GradingError(
            f"other people's notebooks are graded in a sandbox only, and {why_limited()}",
            remedy="Install bubblewrap; or give --trust, if you would run this code yourself.",
        )
    results = Results(batch.out) if batch.out is not None else None
    if results is not None:
        results.prepare()
    verdicts = _with_doubles(_verdicts(batch, found, solutions, results, say))
    if results is not None:
        results.write(walls, solutions, verdicts)
    return document(walls, solutions, verdicts)


def _verdicts(
    batch: Batch,
    found: Sequence[Found],
    solutions: Path,
    results: Results | None,
    say: Callable[[str], None],
) -> list[Verdict]:
    exercises = load_exercises(solutions)
    known: dict[str, Verdict] = {}
    tasks: list[Task] = []
    keys: dict[str, str] = {}

    def done(task: Task, verdict: Verdict) -> None:
        known[task.path] = verdict
        say(_line(verdict, len(known), len(found)))
        if results is not None and verdict.status != "ungradable":
            results.remember(keys[task.path], verdict, solutions)

    for item in found:
        path = str(item.path)
        if item.trouble:
            known[path] = ungradable(path, item.student, item.trouble)
            continue
        if results is not None:
            keys[path] = results.key(item.path, isolation())
            earlier = None if batch.fresh else results.remembered(keys[path], solutions)
            if earlier is not None:
                known[path] = replace(earlier, student=item.student)
                continue
        tasks.append(_task(item, exercises, solutions, batch))
    work_off(tasks, batch.workers or os.cpu_count() or 1, done)
    return [known[str(item.path)] for item in found]


def _with_doubles(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Flag submissions that are not a student's only one for an exercise."""
    times = Counter((v.student, v.exercise) for v in verdicts if v.exercise)
    return [
        replace(v, flags=(*v.flags, f"{v.student} has handed in {v.exercise} {number} times"))
        if (number := times[v.student, v.exercise]) > 1
        else v
        for v in verdicts
    ]


def _line(verdict: Verdict, done: int, total: int) -> str:
    grade = f"{verdict.score} of {verdict.max}" if verdict.status == "graded" else verdict.status
    return printable(f"[{done}/{total}] {verdict.student}/{Path(verdict.path).name}: {grade}")


def _secret(solutions: Path, batch: Batch) -> tuple[Path, ...]:
    """Folders that must not be seen, should they lie below something that must."""
    checkout = solutions.parent
    folders = [solutions, checkout / "tests", checkout / ".git"]
    folders += [path.absolute() for path in batch.paths if path.is_dir()]
    return tuple(folder for folder in folders if folder.is_dir())


def _task(item: Found, exercises: Mapping[str, Exercise], solutions: Path, batch: Batch) -> Task:
    named = exercises.get(name_in(item.path, exercises))
    wishes = [batch.limits.with_wishes(exercise.limits) for exercise in exercises.values()]
    return Task(
        path=str(item.path),
        student=item.student,
        exercise=named.name if named else "",
        max_points=named.max_points if named else 0,
        request={
            "path": str(item.path),
            "student": item.student,
            "solutions": str(solutions),
            "isolation": isolation(),
            "secret": [str(folder) for folder in _secret(solutions, batch)],
            "limits": asdict(batch.limits),
        },
        deadline_s=max(limits.total_s for limits in wishes) + GRACE_S,
    )
