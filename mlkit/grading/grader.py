"""Grade one submission."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mlkit.errors import GradingError
from mlkit.grading.limits import Limits
from mlkit.grading.restore import Submission, read_submission, restored
from mlkit.grading.sandbox import Isolation, Surroundings
from mlkit.grading.source import Exercise
from mlkit.grading.verdict import CheckVerdict, Verdict, decide, ungradable

__all__ = ["Job", "grade_answers", "grade_submission"]


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


def grade_submission(job: Job, exercise: Exercise) -> Verdict:
    """Grade a submission; whatever is wrong with it becomes its verdict."""
    try:
        submission = read_submission(job.path, exercise)
        around = Surroundings(limits=job.limits, secret=job.secret)
        checks = grade_answers(exercise, submission, around, job.isolation)
    except GradingError as error:
        return ungradable(
            str(job.path),
            job.student,
            error.message,
            exercise=exercise.name,
            max_points=exercise.max_points,
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
    from mlkit.grading.plugin import Execution
    from mlkit.grading.run_pytest import run_pytest

    steps = restored(exercise, submission)
    execution = Execution(steps=steps, around=around, isolation=isolation)
    run_pytest(execution)
    return decide(exercise, submission, execution.seen, execution.judged)
