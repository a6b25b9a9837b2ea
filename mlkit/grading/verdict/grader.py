"""Grade one submission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.notebook_cells import read_cells
from mlkit.grading.sandbox.bounded import TooCostlyError, bounded
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.walls import Isolation, Surroundings
from mlkit.grading.submissions import match, name_in
from mlkit.grading.verdict.restore import (
    Submission,
    restored,
    shadows,
    shown_as_text,
    take_answers,
)
from mlkit.grading.verdict.verdict import CheckVerdict, Verdict, decide, ungradable

__all__ = ["Job", "grade_answers", "grade_submission"]

TOO_COSTLY = "reading the notebook takes more memory or time than any honest one does"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One submission to be graded, and how.

    Parameters
    ----------
    path : Path
        The submission.
    student : str
        Whose it is.
    isolation : str
        `sandboxed` or `limited`.
    secret : tuple of Path
        Folders that the submission's code must not see.
    limits : Limits
        What the submission may use.
    """

    path: Path
    student: str
    isolation: Isolation
    secret: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)


def grade_submission(job: Job, exercises: Mapping[str, Exercise]) -> Verdict:
    """Grade a submission; whatever is wrong with it becomes its verdict.

    Parameters
    ----------
    job : Job
        What to grade, and how.
    exercises : Mapping
        The exercises by name; what the notebook's cells define says which one it answers.
    """
    named = name_in(job.path, exercises)
    try:
        named, submission = bounded(lambda: _read(job.path, exercises))
        exercise = exercises[named]
        limits = job.limits.with_wishes(exercise.limits)
        around = Surroundings(limits=limits, secret=job.secret, data=exercise.data)
        checks = grade_answers(exercise, submission, around, job.isolation)
    except (GradingError, TooCostlyError) as error:
        known = exercises.get(named)
        return ungradable(
            str(job.path),
            job.student,
            error.message if isinstance(error, GradingError) else TOO_COSTLY,
            exercise=named,
            max_points=known.max_points if known else 0,
        )
    attempted = any(check.status != "not_attempted" for check in checks)
    return Verdict(
        path=str(job.path),
        exercise=exercise.name,
        student=job.student,
        status="graded" if attempted else "not_attempted",
        score=sum(check.points for check in checks),
        max=exercise.max_points,
        checks=checks,
        flags=submission.flags,
    )


def _read(path: Path, exercises: Mapping[str, Exercise]) -> tuple[str, Submission]:
    """The exercise that a file answers, and what it answers; nothing of the file is run."""
    cells = read_cells(path)
    exercise = match(path, cells, exercises)
    if exercise is None:
        raise GradingError("the notebook answers no exercise that has a solution here", path)
    submission = take_answers(cells, exercise)
    if not submission.answers:
        wanted = ", ".join(exercise.answers)
        none = f"the notebook has none of the exercise's answer cells ({wanted})"
        told = (shown_as_text(cells, name, stub) for name, stub in exercise.answers.items())
        raise GradingError(none + next(filter(None, told), ""), path)
    return exercise.name, submission


def grade_answers(
    exercise: Exercise, submission: Submission, around: Surroundings, isolation: Isolation
) -> tuple[CheckVerdict, ...]:
    """Execute answers in the pristine notebook and decide on every check.

    Parameters
    ----------
    exercise : Exercise
        The exercise.
    submission : Submission
        The answers that were taken.
    around : Surroundings
        Limits, and what must not be seen.
    isolation : str
        `sandboxed` or `limited`.

    Raises
    ------
    GradingError
        If the kernel could not be started.
    """
    if not set(submission.answers) - submission.untouched:
        return decide(exercise, submission, {}, {})
    # pytest and nbval take a second, for which neither help nor an unanswered notebook waits.
    from mlkit.grading.verdict.plugin import Execution
    from mlkit.grading.verdict.run_pytest import run_pytest

    steps = restored(exercise, submission)
    aside = shadows(exercise, submission).sentence
    execution = Execution(steps=steps, around=around, isolation=isolation, aside=aside)
    run_pytest(execution)
    return decide(exercise, submission, execution.seen, execution.judged)
