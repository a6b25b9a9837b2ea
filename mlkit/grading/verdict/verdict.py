"""From what came out of the kernel to points and sentences. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Literal

from mlkit.frozen import dataclass
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.verdict.restore import Submission
from mlkit.inside.checks.check_facts import (
    ENDED,
    NOT_ATTEMPTED,
    STUB_ERROR,
    CheckSpec,
    Judgement,
    Observation,
    Status,
    read_facts,
)

__all__ = ["CheckVerdict", "Difference", "Verdict", "decide", "ungradable", "verdict_from"]

ONLY_SHOWN = (
    "Your answer fits the inputs that the notebook shows, but none of the others that it was "
    "tried on: work out the general case."
)
WITH_ANOTHER = (
    "What the notebook shows of this answer is right. It is tried on other inputs together with "
    "another answer, and counts when that one is right, too."
)
LONGEST = 300
# Of what an answer printed a page shows so many facts, each so long: it may have printed megabytes.
MOST_SHOWN, LONGEST_SHOWN = 40, 400


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One fact of a visible check: what the answer gave, and what it should have given, as text."""

    fact: str
    given: str
    expected: str


@dataclass(frozen=True, kw_only=True)
class CheckVerdict:
    """What one check of a submission earned, and why not more."""

    id: str
    title: str
    hidden: bool
    points: float
    max: float
    status: Status
    message: str = ""
    differences: tuple[Difference, ...] = ()

    def public(self) -> dict[str, Any]:
        """The part that `--json` and grades.json show."""
        return {
            "id": self.id,
            "points": self.points,
            "max": self.max,
            "status": self.status,
            "message": self.message,
        }


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The grade of one submission."""

    path: str
    exercise: str
    student: str
    status: Literal["graded", "not_attempted", "ungradable"]
    score: float
    max: float
    checks: tuple[CheckVerdict, ...] = ()
    flags: tuple[str, ...] = ()

    def public(self) -> dict[str, Any]:
        """The part that `--json` and grades.json show; its texts can be printed anywhere."""
        whole = {key: value for key, value in asdict(self).items() if key != "checks"}
        flags = list(whole.pop("flags"))
        checks = [check.public() for check in self.checks]
        document: dict[str, Any] = _encodable({**whole, "checks": checks, "flags": flags})
        return document


def _encodable(value: Any) -> Any:
    """Texts without half characters, which come from odd file names and from kernels."""
    if isinstance(value, str):
        return value.encode("utf-8", errors="backslashreplace").decode("utf-8")
    if isinstance(value, list):
        return [_encodable(element) for element in value]
    if isinstance(value, dict):
        return {key: _encodable(element) for key, element in value.items()}
    return value


def verdict_from(record: Mapping[str, Any]) -> Verdict:
    """Read back what `dataclasses.asdict` made of a verdict."""
    checks = [
        CheckVerdict(**{**c, "differences": tuple(Difference(**d) for d in c["differences"])})
        for c in record["checks"]
    ]
    return Verdict(**{**record, "checks": tuple(checks), "flags": tuple(record["flags"])})


def ungradable(
    path: str, student: str, reason: str, *, exercise: str = "", max_points: float = 0
) -> Verdict:
    """The verdict on what could not be graded; the reason stands in its flags."""
    return Verdict(
        path=path,
        exercise=exercise,
        student=student,
        status="ungradable",
        score=0,
        max=max_points,
        flags=(reason,),
    )


def decide(
    exercise: Exercise,
    submission: Submission,
    seen: Mapping[str, Observation],
    judged: Mapping[str, Judgement],
) -> tuple[CheckVerdict, ...]:
    """The verdict on every check of an exercise.

    Parameters
    ----------
    exercise : Exercise
        The exercise.
    submission : Submission
        The answers that were taken.
    seen : Mapping
        Cell id → what came out of it.
    judged : Mapping
        Check id → whether it passed, and why not.

    Returns
    -------
    tuple of CheckVerdict
        In the exercise's order. A visible check, whose expected output is there for all to see,
        earns its points only if a hidden check of the same answers has passed.
    """
    found = {
        check.id: _judgement(check, submission, seen, judged.get(check.id))
        for check in exercise.checks
    }
    return tuple(
        _verdict(check, _proved(check, exercise, found), seen.get(check.id))
        for check in exercise.checks
    )


def _judgement(
    check: CheckSpec,
    submission: Submission,
    seen: Mapping[str, Observation],
    judged: Judgement | None,
) -> Judgement:
    given = [name for name in check.answers if name in submission.answers]
    if not set(given) - submission.untouched:
        return Judgement(status="not_attempted", message=NOT_ATTEMPTED)
    if judged is not None and judged.status == "passed":
        return judged  # an answer cell may hold a trial of its own that fails
    for name in given:
        cell = seen.get(name, Observation())
        if cell.ended:
            status: Status = "timeout" if cell.timed_out else "error"
            text = f"The cell {name!r} did not come to its end when it was run by itself."
            return Judgement(status=status, message=f"{text} {cell.idleness or ENDED[cell.ended]}")
        if cell.error is not None and cell.error != STUB_ERROR:
            text = f"{cell.error}: {cell.error_text}"[:LONGEST]
            told = f"The cell {name!r} does not run: {text}"
            message = f"{told}. {cell.aside}" if cell.aside else told
            return Judgement(status="failed", message=message)
    return judged or Judgement(status="error", message="The check could not be run.")


def _proved(check: CheckSpec, exercise: Exercise, found: Mapping[str, Judgement]) -> Judgement:
    """A pass on shown inputs alone is none."""
    judgement = found[check.id]
    if check.hidden or judgement.status != "passed":
        return judgement
    others = [c for c in exercise.checks if c.hidden and set(c.answers) & set(check.answers)]
    if not others or any(found[other.id].status == "passed" for other in others):
        return judgement
    for other in others:
        if found[other.id].status in ("error", "timeout"):
            return found[other.id]  # nothing is known of the general case
    if all(_hangs_on_another(other, check, exercise, found) for other in others):
        return Judgement(status="failed", message=WITH_ANOTHER)
    return Judgement(status="failed", message=ONLY_SHOWN)


def _hangs_on_another(
    hidden: CheckSpec, check: CheckSpec, exercise: Exercise, found: Mapping[str, Judgement]
) -> bool:
    """Whether a hidden check is also of an answer of which what is shown is wrong already."""
    more = set(hidden.answers) - set(check.answers)
    return any(
        set(c.answers) & more and found[c.id].status != "passed"
        for c in exercise.checks
        if not c.hidden
    )


def _verdict(check: CheckSpec, judgement: Judgement, seen: Observation | None) -> CheckVerdict:
    passed = judgement.status == "passed"
    verdict = CheckVerdict(
        id=check.id,
        title=check.title,
        hidden=check.hidden,
        points=check.points if passed else 0,
        max=check.points,
        status=judgement.status,
        message=judgement.message,
    )
    if check.hidden or seen is None:
        return verdict
    return replace(verdict, differences=_differences(check, judgement, seen))


def _differences(
    check: CheckSpec, judgement: Judgement, seen: Observation
) -> tuple[Difference, ...]:
    """What a visible check printed where it should have printed something else."""
    facts = read_facts(seen.text) or {}
    return tuple(
        Difference(
            fact=name[:LONGEST],
            given=_short(facts.get(name)),
            expected=_short(check.expected.get(name)),
        )
        for name in judgement.wrong[:MOST_SHOWN]
    )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
