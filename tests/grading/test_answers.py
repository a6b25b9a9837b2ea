"""Model answers, stubs, and the right and wrong answers that people really write."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from ruamel.yaml import YAML

from mlkit.grading.exercise.source import Exercise, exercise_notebook, notebook_text

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in (HERE.parents[1] / "solutions").glob("*.ipynb"))
THIRD = pytest.param(3, id="a third")
Grade = Callable[..., dict[str, dict[str, Any]]]


def a_third(names: Sequence[str]) -> list[Any]:
    """Every third exercise; the others in the slow suite."""
    return [
        name if number % 3 == 0 else pytest.param(name, marks=pytest.mark.slow)
        for number, name in enumerate(names)
    ]


def _cases(kind: str, name: str) -> list[dict[str, Any]]:
    """The fixtures of an exercise: every file of its folder, or the one file of its name."""
    files = [HERE / kind / f"{name}.yaml", *sorted((HERE / kind / name).glob("*.yaml"))]
    return [case for file in files if file.exists() for case in YAML(typ="safe").load(file)]


def _problems(case: dict[str, Any], checks: Mapping[str, dict[str, Any]]) -> list[str]:
    """How the grading of a wrong answer differs from what its fixture says."""
    check = checks[case["caught_by"]]
    if check["status"] == "passed":
        return [f"{case['name']!r} passes {case['caught_by']}"]
    if case["says"] not in check["message"]:
        return [f"{case['name']!r} reads: {check['message']!r}"]
    return []


@pytest.mark.kernel
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [THIRD, pytest.param(1, marks=pytest.mark.slow, id="all")])
def test_answers_get_the_grade_and_the_sentence_that_they_should(
    name: str,
    share: int,
    exercises: Mapping[str, Exercise],
    submit: Callable[..., Path],
    grade: Grade,
    tmp_path: Path,
) -> None:
    """The model has full marks, the stub none; every fixture gets what stands in it.

    A third of the fixtures of each exercise; all of them in the slow suite.
    """
    model = exercises[name].solution
    first = NAMES.index(name) % share
    right, wrong = (_cases(kind, name)[first::share] for kind in ("right_answers", "wrong_answers"))
    submit(tmp_path / "model", name, model)
    submit(tmp_path / "stub", name, {})
    for number, case in enumerate(right):
        submit(tmp_path / f"right-{number}", name, {**model, **case["answers"]})
    for number, case in enumerate(wrong):
        submit(tmp_path / f"wrong-{number}", name, {**model, **case["answers"]})
    grades = grade(tmp_path)
    full = exercises[name].max_points
    lost = {
        student: [c for c in submission["checks"] if c["status"] != "passed"]
        for student, submission in grades.items()
        if student == "model" or student.startswith("right")
    }
    assert {student: checks for student, checks in lost.items() if checks} == {}
    assert grades["model"]["score"] == full > 0
    assert (grades["stub"]["status"], grades["stub"]["score"]) == ("not_attempted", 0)
    problems = [
        problem
        for number, case in enumerate(wrong)
        for problem in _problems(case, {c["id"]: c for c in grades[f"wrong-{number}"]["checks"]})
    ]
    assert problems == []


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_has_six_wrong_answers_and_three_hidden_checks(
    name: str, exercises: Mapping[str, Exercise]
) -> None:
    """Fewer would prove little."""
    hidden = [check for check in exercises[name].checks if check.hidden]
    assert len(_cases("wrong_answers", name)) >= 6
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
        told = json.dumps([check.title, check.otherwise, [m["say"] for m in check.misconceptions]])
        values = [json.dumps(value) for value in check.expected.values()]
        assert [value for value in values if len(value) > 6 and value in told] == []


def test_check_ids_are_unique_over_all_exercises(exercises: Mapping[str, Exercise]) -> None:
    """`mlkit.check` finds a check by its id alone."""
    ids = [check.id for exercise in exercises.values() for check in exercise.checks]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.kernel
@pytest.mark.parametrize("name", a_third(NAMES))
def test_a_solved_exercise_is_green_under_plain_nbval_and_a_stub_is_red(
    name: str, exercises: Mapping[str, Exercise], submit: Callable[..., Path], tmp_path: Path
) -> None:
    """At once and offline, for the model and for another right answer that prints."""
    model = exercises[name].solution
    others = [{**model, **case["answers"]} for case in _cases("right_answers", name)[:1]]
    solved = [
        submit(tmp_path / str(number), name, answers)
        for number, answers in enumerate([model, *others])
    ]
    stub = submit(tmp_path / "stub", name, {})
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "-p", "no:cacheprovider"]
    green = subprocess.run([*command, *solved], cwd=tmp_path, capture_output=True, check=False)
    assert green.returncode == 0, green.stdout.decode()
    red = subprocess.run([*command, stub], cwd=tmp_path, capture_output=True, check=False)
    assert red.returncode == 1, red.stdout.decode()


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
