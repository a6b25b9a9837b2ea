"""The map of the lessons, and the memory of what is solved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mlkit.grading.authoring.release import learners_kit
from mlkit.grading.exercise.source import load_exercise
from mlkit.widgets.labs.lesson_map import LessonMap, draw_map
from mlkit.widgets.labs.lesson_plan import LESSONS, State

ROOT = Path(__file__).parents[3]
NAME = "01-dags"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A checkout with one exercise."""
    for folder in ("exercises", "solutions"):
        (tmp_path / folder).mkdir()
        shutil.copy(ROOT / folder / f"{NAME}.ipynb", tmp_path / folder)
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def answer(home: Path, answers: dict[str, str]) -> None:
    """Write into the answer cells, as a learner does."""
    path = home / "exercises" / f"{NAME}.ipynb"
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["id"] in answers:
            cell["source"] = answers[cell["id"]].splitlines(keepends=True)
    path.write_text(json.dumps(notebook))


def test_the_lessons_are_numbered_in_order_and_end_in_exercises_of_their_own() -> None:
    """18 of them."""
    assert [lesson.number for lesson in LESSONS] == list(range(1, 19))
    assert len({lesson.exercise for lesson in LESSONS}) == 18


def test_an_untouched_exercise_is_to_do_and_a_missing_one_is_named_so(home: Path) -> None:
    """Nothing is run for that."""
    states = LessonMap(home).states
    assert states[NAME] is State.TO_DO
    assert {state for name, state in states.items() if name != NAME} == {State.MISSING}


def test_a_folder_for_learners_has_its_map_without_solutions(tmp_path: Path) -> None:
    """As `mlkit learn` writes it."""
    learners_kit(tmp_path / "kit")
    assert set(LessonMap(tmp_path / "kit").states.values()) == {State.TO_DO}


def test_a_folder_without_exercises_has_a_map_all_the_same(tmp_path: Path) -> None:
    """Such as a notebook that was sent to somebody."""
    assert set(LessonMap(tmp_path).states.values()) == {State.MISSING}


@pytest.mark.kernel
def test_a_checked_exercise_stays_solved_until_it_is_changed(home: Path) -> None:
    """The check really grades; a further view remembers; a changed answer has to be checked."""
    solution = load_exercise(home / "solutions" / f"{NAME}.ipynb").solution
    answer(home, solution)
    view = LessonMap(home)
    assert view.states[NAME] is State.BEGUN
    assert view.check()[NAME] is State.SOLVED
    assert "1 of 18 lessons&#x27; exercises are solved" in view.said.markup
    assert "✓ solved" in LessonMap(home).map.markup
    first = next(iter(solution))
    answer(home, {first: solution[first].replace("return", "return None #", 1)})
    again = LessonMap(home)
    assert again.states[NAME] is State.BEGUN
    assert again.check()[NAME] is State.ATTEMPTED


def test_a_box_leads_to_its_lesson(home: Path) -> None:
    """By address, and by JupyterLab's own command where there is a server."""
    states = LessonMap(home).states
    svg = draw_map(states, lambda lesson: (f"/lab/tree/{lesson.slug}", lesson.slug))
    assert 'href="/lab/tree/02-dags"' in svg
    assert 'aria-label="Lesson 2 DAGs: to do"' in svg
    assert "<a " not in draw_map(states)
