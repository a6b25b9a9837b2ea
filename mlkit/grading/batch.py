"""Grade many submissions: side by side, resumable, and none of them stops the others."""

from __future__ import annotations

import fnmatch
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Any

from mlkit.core.durations import format_duration
from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.batch_text import printable
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.pool import Task, work_off
from mlkit.grading.results import Results, document
from mlkit.grading.sandbox.limits import PATIENCE, Limits
from mlkit.grading.sandbox.trial import isolation, why_limited
from mlkit.grading.submissions import (
    Found,
    exercise_of,
    find_solutions,
    find_submissions,
    is_own_work,
    load_exercises,
    name_in,
)
from mlkit.grading.tables import did_you_mean
from mlkit.grading.verdict.verdict import Verdict, ungradable

__all__ = ["Batch", "grade_batch", "time_left"]

GRACE_S = 60  # to start kernels, twice if need be, and to read a notebook, beside running its cells


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
    students, exercises : sequence of str
        Whose submissions, and to which exercises, are graded; names, or patterns with `*`. None
        of them: all. What is chosen so is graded again.
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
    students: Sequence[str] = ()
    exercises: Sequence[str] = ()
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
    everything = find_submissions(batch.paths, batch.pattern)
    solutions = find_solutions(batch.solutions)
    walls = isolation()
    if walls == "limited" and not (batch.trust or is_own_work(batch.paths)):
        raise GradingError(
            f"other people's notebooks are graded in a sandbox only, and {why_limited()}",
            remedy="Install bubblewrap; or give --trust, if you would run this code yourself.",
            code="E805",
        )
    exercises = load_exercises(solutions)
    found = _chosen(batch, everything, exercises)
    results = Results(batch.out) if batch.out is not None else None
    if results is not None:
        results.prepare()
    verdicts = _with_doubles(_verdicts(batch, found, (solutions, exercises), results, say))
    if results is not None:
        results.write(walls, solutions, verdicts)
        for line in results.changes_text():
            say(line)
    return document(walls, solutions, verdicts)


def _chosen(
    batch: Batch, found: Sequence[Found], exercises: Mapping[str, Exercise]
) -> Sequence[Found]:
    """The submissions that were asked for; a name that none has is a mistake."""
    for kind, wanted, known in (
        ("student", batch.students, [item.student for item in found]),
        ("exercise", batch.exercises, list(exercises)),
    ):
        for name in wanted:
            if not any(fnmatch.fnmatchcase(other, name) for other in known):
                raise GradingError(f"there is no {kind} {name!r}", remedy=did_you_mean(name, known))
    if batch.students:
        found = [item for item in found if _among(item.student, batch.students)]
    if batch.exercises:
        found = [
            item
            for item in found
            if _among(exercise_of(item.path, item.path.name, exercises), batch.exercises)
        ]
    if not found:
        raise GradingError("nobody of those named has handed in such an exercise")
    return found


def _among(name: str, wanted: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted)


def _verdicts(
    batch: Batch,
    found: Sequence[Found],
    by: tuple[Path, Mapping[str, Exercise]],
    results: Results | None,
    say: Callable[[str], None],
) -> list[Verdict]:
    solutions, exercises = by
    known: dict[str, Verdict] = {}
    tasks: list[Task] = []
    keys: dict[str, str] = {}
    fresh = batch.fresh or bool(batch.students or batch.exercises)
    begun = time.monotonic()

    def done(task: Task, verdict: Verdict) -> None:
        known[task.path] = verdict
        total = len(tasks)
        graded = total - (len(found) - len(known))
        left = time_left(graded, total, time.monotonic() - begun)
        say(_line(verdict, len(known), len(found)) + left)
        if results is not None:
            if verdict.status != "ungradable":
                results.remember(keys[task.path], verdict, solutions)
            results.tell(isolation(), solutions, verdict)

    for item in found:
        path = str(item.path)
        if item.trouble:
            known[path] = ungradable(path, item.student, item.trouble)
            continue
        if results is not None:
            keys[path] = results.key(item.path, isolation())
            earlier = None if fresh else results.remembered(keys[path], solutions)
            if earlier is not None:
                known[path] = replace(earlier, student=item.student)
                continue
        tasks.append(_task(item, exercises, solutions, batch))
    work_off(tasks, batch.workers or os.cpu_count() or 1, done)
    return [known[str(item.path)] for item in found]


def time_left(graded: int, total: int, elapsed_s: float) -> str:
    """How long the rest will take at the pace so far, for people; empty where there is no rest."""
    if not 0 < graded < total:
        return ""
    return f" (about {format_duration(elapsed_s / graded * (total - graded))} left)"


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
    status = verdict.status.replace("_", " ")
    grade = f"{verdict.score} of {verdict.max}" if verdict.status == "graded" else status
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
        deadline_s=PATIENCE * max(limits.total_s + limits.cell_s for limits in wishes) + GRACE_S,
    )
