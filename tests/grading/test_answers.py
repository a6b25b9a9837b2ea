"""Model answers, stubs, and the right and wrong answers that people really write."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from mlkit.grading.exercise.answered import hand_in
from mlkit.grading.exercise.source import Exercise, exercise_notebook, notebook_text
from mlkit.grading.exercise.words import Recorded
from mlkit.grading.verdict.verdict import ONLY_SHOWN, WITH_ANOTHER
from mlkit.inside.checks.check_facts import is_guess
from tests.grading.recorded import HERE, NAMES, Readings, read_by_learners, recorded, share_of

Grade = Callable[..., dict[str, dict[str, Any]]]
SAID = re.compile(r"\b(\w+(?:Error|Exception)) \(.+\)(?= came\b|: |\.( |$))", re.DOTALL)
"""What an exception says, behind its name."""


def lots(count: int) -> list[list[str]]:
    """The exercises in so many lots, each graded as one batch: starting its workers takes long."""
    return [NAMES[first::count] for first in range(count)]


def _of_right(student: str, answer: Recorded, grade: Mapping[str, Any]) -> Iterator[str]:
    """What a right answer lost, and why."""
    for check in grade["checks"]:
        if check["status"] != "passed":
            yield f"{student}: {answer.name!r} loses {check['id']}: {check['message']!r}"
    if "reaches for what checks it" in str(grade["flags"]):
        yield f"{student}: {answer.name!r} is suspected: {grade['flags']}"
    if (grade["status"], grade["score"]) != ("graded", grade["max"]):
        yield f"{student}: {answer.name!r} is {grade['status']}: {grade['flags']}"


def _of_wrong(student: str, answer: Recorded, grade: Mapping[str, Any]) -> Iterator[str]:
    """How the grading of a wrong answer differs from what is recorded of it."""
    check = {c["id"]: c for c in grade["checks"]}[answer.caught_by]
    if check["status"] == "passed":
        yield f"{student}: {answer.name!r} passes {answer.caught_by}"
    elif answer.says not in check["message"]:
        yield f"{student}: {answer.name!r} reads {check['message']!r}"


def _disagreements(student: str, grade: Mapping[str, Any], read: Readings) -> Iterator[str]:
    """Where a learner reads beside a check something else than the grade says of it.

    Of a visible check the grade may say less: a pass on shown inputs is none until a hidden check
    of the same answer has passed, or where one of them could not come to its end. Beside a check
    a learner reads what an exception says, too.
    """
    hidden = {
        (c["status"], c["message"])
        for c in grade["checks"]
        if c["id"] not in read and c["status"] in ("error", "timeout")
    }
    for check in (check for check in grade["checks"] if check["id"] in read):
        graded, seen = (check["status"], check["message"]), read[check["id"]]
        shown_only = check["message"] in (ONLY_SHOWN, WITH_ANOTHER) or graded in hidden
        if seen["status"] == "passed" and (check["status"] == "passed" or shown_only):
            continue
        plain = SAID.sub(r"\1", seen["message"])
        same = graded in ((seen["status"], seen["message"]), (seen["status"], plain))
        if not same and graded[0] != "timeout":
            told = (seen["status"], seen["message"], seen["more"])
            yield f"{student}: {check['id']} is graded {graded}, and the learner reads {told}"
        elif graded[0] != seen["status"]:
            yield f"{student}: {check['id']} is graded {graded}, and the learner reads {seen}"


@pytest.mark.kernel
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("lot", "share"),
    [
        (NAMES[::6], 20),
        *(pytest.param(lot, 3, marks=pytest.mark.answers) for lot in lots(4)),
        *(pytest.param(lot, 1, marks=pytest.mark.slow) for lot in lots(6)),
    ],
    ids=lambda value: "+".join(n[:2] for n in value) if isinstance(value, list) else f"1/{value}",
)
def test_answers_get_the_grade_that_they_should_and_the_learner_reads_the_same(
    lot: list[str], share: int, exercises: Mapping[str, Exercise], grade: Grade, tmp_path: Path
) -> None:
    """The model and right answers have full marks, the stub none, wrong ones their sentence.

    Every twentieth recorded answer of every sixth exercise, every third of each of them in
    `make test-answers`, all of them in the slow suite.
    """
    answers: dict[str, tuple[str, Recorded]] = {}
    for name in lot:
        known = [*recorded("right", name), *recorded("wrong", name)]
        answers[f"{name}-model"] = name, Recorded(name="model", kind="right")
        for number, answer in enumerate(share_of(known, name, share)):
            answers[f"{name}-{answer.kind}-{number}"] = name, answer
        hand_in(exercises[name], None, tmp_path / f"{name}-stub")
    notebooks = {
        student: hand_in(exercises[name], answer, tmp_path / student)
        for student, (name, answer) in answers.items()
    }
    grades, read = grade(tmp_path, workers=2), read_by_learners(notebooks)
    assert {
        (grades[f"{name}-stub"]["status"], grades[f"{name}-stub"]["score"]) for name in lot
    } == {("not_attempted", 0)}
    problems = [
        problem
        for student, (_, answer) in answers.items()
        for problem in (
            *(_of_right if answer.kind == "right" else _of_wrong)(student, answer, grades[student]),
            *_disagreements(student, grades[student], read[student]),
        )
    ]
    assert problems == []


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_has_twelve_right_answers_that_are_unusual(name: str) -> None:
    """No two of them are the same, whatever they are called."""
    unusual = [answer for answer in recorded("right", name) if answer.file.name == "unusual.yaml"]
    contents = [repr((a.answers, a.edits, a.above, a.below)) for a in unusual]
    assert len(set(contents)) == len(unusual) >= 12
    names = [answer.name for answer in unusual]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_has_five_further_slips(name: str) -> None:
    """Each with the check that catches it, and its sentence; no two are the same."""
    further = [answer for answer in recorded("wrong", name) if answer.file.name == "further.yaml"]
    assert len({repr((a.answers, a.edits)) for a in further}) == len(further) >= 5
    assert all(answer.caught_by and answer.says for answer in further)


@pytest.mark.parametrize("name", NAMES)
def test_hidden_checks_name_no_cause_that_their_facts_do_not_single_out(
    name: str, exercises: Mapping[str, Exercise]
) -> None:
    """Where any deviation fits, the sentence says what is asked, and no more."""
    guesses = [
        (check.id, entry["say"])
        for check in exercises[name].checks
        for entry in check.misconceptions
        if is_guess(check, entry)
    ]
    assert guesses == []


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_has_six_wrong_answers_and_three_hidden_checks(
    name: str, exercises: Mapping[str, Exercise]
) -> None:
    """Fewer would prove little."""
    hidden = [check for check in exercises[name].checks if check.hidden]
    assert len(recorded("wrong", name)) >= 6
    assert len(hidden) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_has_a_hidden_check(name: str, exercises: Mapping[str, Exercise]) -> None:
    """A visible check proves nothing by itself."""
    covered = {a for check in exercises[name].checks if check.hidden for a in check.answers}
    assert covered == set(exercises[name].answers)


@pytest.mark.parametrize("name", NAMES)
def test_sentences_of_hidden_checks_tell_no_expected_value(
    name: str, exercises: Mapping[str, Exercise]
) -> None:
    """Learners read them."""
    for check in (check for check in exercises[name].checks if check.hidden):
        sentences = [m.get("say", m.get("asks")) for m in check.misconceptions]
        told = json.dumps([check.title, check.otherwise, sentences])
        values = [json.dumps(value) for value in check.expected.values()]
        assert [value for value in values if len(value) > 6 and value in told] == []


def test_check_ids_are_unique_over_all_exercises(exercises: Mapping[str, Exercise]) -> None:
    """`mlkit.check` finds a check by its id alone."""
    ids = [check.id for exercise in exercises.values() for check in exercise.checks]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.kernel
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(NAMES[::9], marks=pytest.mark.long),
        pytest.param(NAMES[::3], marks=pytest.mark.answers),
        pytest.param(NAMES, marks=pytest.mark.slow),
    ],
    ids=["two", "a third", "all"],
)
def test_solved_exercises_are_green_under_plain_nbval_and_stubs_are_red(
    names: list[str],
    exercises: Mapping[str, Exercise],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At once and offline, for the model and for another right answer that prints.

    One nbval for all that is solved, one for all stubs, its kernels forked: what takes long is to
    start them.
    """
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", "mlkit-fork")
    monkeypatch.setenv("MLKIT_PRELOAD", "matplotlib.pyplot,networkx,pandas,scipy")
    for name in names:
        right = [Recorded(name="model", kind="right"), *recorded("right", name)[-1:]]
        for number, answer in enumerate(right):
            hand_in(exercises[name], answer, tmp_path / "solved" / f"{name}-{number}")
        hand_in(exercises[name], None, tmp_path / "stubs" / name)
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "-p", "no:cacheprovider", "-rfE"]
    green = subprocess.run([*command, "solved"], cwd=tmp_path, capture_output=True, check=False)
    assert green.returncode == 0, green.stdout.decode()
    red = subprocess.run([*command, "stubs"], cwd=tmp_path, capture_output=True, check=False)
    assert red.returncode == 1, red.stdout.decode()
    failed = re.findall(r"^FAILED stubs/([^/]+)/", red.stdout.decode(), re.MULTILINE)
    assert set(failed) == set(names), red.stdout.decode()


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["01-dags", "03-idempotency", "05-retries"])
def test_an_untouched_exercise_runs_to_its_end_without_a_traceback(
    name: str, exercises: Mapping[str, Exercise]
) -> None:
    """Who runs all cells reads beside each check that it was not attempted."""
    text = notebook_text(exercise_notebook(exercises[name]))
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]  # untyped library
    resources = {"metadata": {"path": str(HERE.parents[1] / "exercises")}}
    NotebookClient(notebook, timeout=60, resources=resources).execute()
    told = [
        cell.outputs[0]["data"]["text/plain"]
        for cell in notebook.cells
        if cell.id.startswith("feedback-")
    ]
    assert len(told) == sum(not check.hidden for check in exercises[name].checks)
    assert all(text.startswith("· not attempted") for text in told)
