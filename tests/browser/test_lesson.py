"""A whole lesson in a real JupyterLab, as its learner has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.lab import Lab
from tests.notebooks.lessons import Lesson
from tests.notebooks.questions import questions_of

pytestmark = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.timeout(300)]


def test_a_lesson_is_done_by_typing(lab: Lab, checkout: Path) -> None:
    """Untouched, then every question: a slip reads its sentence, the model answer is right."""
    lesson = Lesson(checkout / "notebooks" / "lessons" / "02-dags.ipynb")
    lab.open("notebooks/lessons/02-dags.ipynb")
    lab.run_all(240)
    for question in questions_of(lesson):
        cell, slip = f"yours-{question.name}", question.slips[0]
        lab.wait_until_says(cell, "· not answered yet")
        lab.answer(cell, question.answered(slip["answer"]))
        lab.wait_until_says(cell, slip["says"])
        lab.answer(cell, question.answered(question.model))
        lab.wait_until_says(cell, "✓ right")
        lab.show(cell)
    lab.shoot("lesson-answered")
    assert lab.errors == []
