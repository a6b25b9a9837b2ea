"""Model solutions that were rewritten in one place, and what the checks say of them.

A rewrite that does the same has full marks. One that may do something else loses points, but for
those that `alive.json` names: they do the same on everything that the task speaks of. Nothing that
a rewrite does ends in a traceback, or in silence.

`MLKIT_MUTANTS=200` draws so many, `MLKIT_MUTANTS_SEED` others; the slow suite tries all of them.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from mlkit.grading.exercise.source import Exercise
from mlkit.grading.verdict.acceptance import RULES
from mlkit.grading.verdict.restore import Submission, restored
from mlkit.grading.verdict.verdict import CheckVerdict, decide
from mlkit.inside.checks.check_facts import Observation, judge
from tests.grading.mutants import Mutant, mutants_of, rewrites_of
from tests.grading.recorded import NAMES

HERE = Path(__file__).parent
ALIVE = HERE / "alive.json"
COUNT = int(os.environ.get("MLKIT_MUTANTS", "8"))
SEED = int(os.environ.get("MLKIT_MUTANTS_SEED", "1"))

Case = tuple[str, str, Mutant]


def _known_alive() -> dict[str, list[str]]:
    return cast(dict[str, list[str]], json.loads(ALIVE.read_text(encoding="utf-8")))


def _named(case: Case) -> str:
    """A rewrite as `alive.json` names it: its answer, what was done, and in which line."""
    _, answer, mutant = case
    return f"{answer.removeprefix('answer-')} {mutant.line}: {mutant.kind}"


def _cases(
    exercises: Mapping[str, Exercise], names: Sequence[str], *, same: bool
) -> Iterator[Case]:
    for name in names:
        for answer, source in exercises[name].solution.items():
            for mutant in (rewrites_of if same else mutants_of)(source):
                yield name, answer, mutant


def _drawn(cases: Iterator[Case], share: str) -> list[Case]:
    every = list(cases)
    return every if share == "all" else random.Random(SEED).sample(every, COUNT)


def _graded(
    exercises: Mapping[str, Exercise], cases: Sequence[Case]
) -> Iterator[tuple[Case, tuple[CheckVerdict, ...]]]:
    """What a grade would say, without a sandbox: an answer is run as it stands."""
    command = [sys.executable, "-m", "tests.grading.unboxed"]
    # As in the grader's kernels: what a wrong answer prints of a set hangs on the hashes of texts.
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    submissions = [
        Submission(answers={**exercises[name].solution, answer: mutant.source})
        for name, answer, mutant in cases
    ]
    every = [
        restored(exercises[name], submission)
        for (name, _, _), submission in zip(cases, submissions, strict=True)
    ]
    jobs = [
        json.dumps(
            {
                "steps": [[step.id, step.source] for step in steps],
                "data": {n: str(path) for n, path in exercises[name].data.items()},
            }
        )
        for (name, _, _), steps in zip(cases, every, strict=True)
    ]
    ran = subprocess.run(
        command,
        input="\n".join(jobs),
        capture_output=True,
        check=False,
        cwd=HERE.parents[1],
        encoding="utf-8",
        env=env,
    )
    assert ran.returncode == 0, ran.stderr
    for case, submission, steps, line in zip(
        cases, submissions, every, ran.stdout.splitlines(), strict=True
    ):
        told: dict[str, Any] = json.loads(line)
        seen = {name: Observation(**found) for name, found in told.items()}
        lost = Observation(ended="died")
        judged = {
            step.id: judge(step.spec, seen.get(step.id, lost), rules=RULES)
            for step in steps
            if step.spec is not None
        }
        yield case, decide(exercises[case[0]], submission, seen, judged)


def _lost(verdicts: Sequence[CheckVerdict]) -> list[tuple[str, str, str]]:
    return [(v.id, v.status, v.message) for v in verdicts if v.status != "passed"]


SHARES = [
    pytest.param("drawn", marks=pytest.mark.answers),
    pytest.param("all", marks=pytest.mark.slow),
]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("share", SHARES)
def test_a_rewrite_that_does_the_same_has_full_marks(
    share: str, exercises: Mapping[str, Exercise]
) -> None:
    """Other names, other forms, helpers, prints: no check hangs on them."""
    cases = _drawn(_cases(exercises, NAMES, same=True), share)
    problems = [
        (case[0], _named(case), case[2].source, lost)
        for case, verdicts in _graded(exercises, cases)
        if (lost := _lost(verdicts))
    ]
    assert problems == []


@pytest.mark.timeout(21600)
@pytest.mark.parametrize("share", SHARES)
def test_a_rewrite_that_does_something_else_loses_points_and_reads_why(
    share: str, exercises: Mapping[str, Exercise]
) -> None:
    """But for those that are known to do the same on everything that the task speaks of."""
    alive = _known_alive()
    cases = _drawn(_cases(exercises, sorted(alive), same=False), share)
    problems: list[tuple[object, ...]] = []
    for case, verdicts in _graded(exercises, cases):
        lost = _lost(verdicts)
        if not lost and _named(case) not in alive[case[0]]:
            problems.append((case[0], _named(case), case[2].source))
        for check, status, message in lost:
            if not message or "Traceback" in message or status == "not_attempted":
                problems.append((case[0], _named(case), check, status, message))
    assert problems == []


def test_what_is_known_to_do_the_same_is_still_there(exercises: Mapping[str, Exercise]) -> None:
    """A line of `alive.json` names a rewrite of today's solution."""
    alive = _known_alive()
    names = {(case[0], _named(case)) for case in _cases(exercises, sorted(alive), same=False)}
    kept = {(exercise, line) for exercise, lines in alive.items() for line in lines}
    assert kept - names == set()
