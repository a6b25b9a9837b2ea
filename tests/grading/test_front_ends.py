"""Whichever program has saved a notebook, the answers in it are the same."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.grading.authoring.release import release
from mlkit.grading.exercise.source import Exercise, exercise_notebook
from mlkit.grading.exercise_progress import check_notebooks
from mlkit.grading.notebook_cells import read_cells
from mlkit.grading.submissions import load_exercises, match
from mlkit.grading.verdict.restore import take_answers
from mlkit.inside.checks.check_history import stub_digest
from tests.grading.conftest import SOLUTIONS
from tests.grading.front_ends import PROGRAMS, TRAITS, Trait, write
from tests.grading.recorded import NAMES

ADDED = ("#@title", "%python")


@functools.cache
def _known() -> Mapping[str, Exercise]:
    """Not a fixture: what Hypothesis prints of a failure would hold all of them."""
    return load_exercises(SOLUTIONS)


def _solved(exercise: Exercise, answers: Mapping[str, str]) -> dict[str, Any]:
    notebook = json.loads(json.dumps(exercise_notebook(exercise)))
    for cell in notebook["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
    return dict(notebook)


def _as_written(source: str) -> str:
    """An answer without what the traits add to it."""
    lines = source.splitlines()
    return stub_digest("\n".join(line for line in lines if not line.startswith(ADDED)))


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(NAMES),
    traits=st.lists(st.sampled_from(TRAITS), max_size=6, unique=True),
    seed=st.integers(0, 99),
)
def test_answers_are_found_however_a_program_saves_them(
    name: str, traits: Sequence[Trait], seed: int, tmp_path: Path
) -> None:
    """Any of the traits, in any order, and the exercise is told by its cells alone."""
    exercises = _known()
    exercise = exercises[name]
    notebook = _solved(exercise, exercise.solution)
    path = write(tmp_path / "homework.ipynb", notebook, traits, seed=seed)
    cells = read_cells(path)
    found = match(path, cells, exercises)
    assert found is not None
    assert found.name == name
    answers = take_answers(cells, exercise).answers
    expected = {key: _as_written(text) for key, text in exercise.solution.items()}
    assert {key: _as_written(text) for key, text in answers.items()} == expected


@pytest.mark.kernel
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.answers if n == "05-retries" else pytest.mark.slow)
        for n in NAMES
    ],
)
def test_the_check_and_the_grade_agree_whichever_program_saved_the_notebook(
    name: str,
    exercises: Mapping[str, Exercise],
    grade: Callable[..., dict[str, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    """Full marks for what is right, and for what is wrong its sentence, in both."""
    exercise = exercises[name]
    release(SOLUTIONS, tmp_path / "given", [name])
    files = {
        program: write(
            tmp_path / "given" / program / f"{program}.ipynb",
            _solved(exercise, exercise.solution),
            traits,
            seed=number,
        )
        for number, (program, traits) in enumerate(PROGRAMS.items())
    }
    grades = grade(tmp_path / "given", pattern="{student}/*.ipynb", workers=2)
    lost = {
        program: [check for check in grades[program]["checks"] if check["message"]]
        for program in PROGRAMS
        if grades[program]["score"] != exercise.max_points
    }
    assert lost == {}
    told = check_notebooks([str(path) for path in files.values()], 0, lambda _: None)
    assert [row["path"] for row in told["exercises"] if row["name"] != name] == []
    assert told["passed"], told
