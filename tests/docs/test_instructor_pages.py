"""What an instructor is given agrees with the lessons and exercises that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import written
from tests.docs.pages import follow
from tests.docs.syllabus import PAGE, exercises, lessons, numbers, plans, with_hours

LESSONS, EXERCISES = lessons(), exercises()
NOTES = PAGE.with_name("teaching-notes.md").read_text("utf-8")
WHOLE = "A week", "A term"


def test_the_syllabus_adds_up() -> None:
    """Titles, minutes and sums are those that the notebooks state."""
    page = PAGE.read_text("utf-8")
    assert page == with_hours(page), "Write the tables anew: make docs-tables"
    said = f"A course on machine-learning pipelines in {len(LESSONS)} lessons and {len(EXERCISES)} "
    assert said in page


def test_what_learners_write_is_what_the_notebooks_ask_for() -> None:
    """Cells and lines, counted in the notebooks."""
    page = written.PAGE.read_text("utf-8")
    assert page == written.with_counts(page), "Write the tables anew: make docs-tables"


def test_each_lesson_leads_to_an_exercise_of_its_own() -> None:
    """No exercise is left over, and none stands behind two lessons."""
    assert sorted(unit.exercise or 0 for unit in LESSONS.values()) == sorted(EXERCISES)


def test_paths_teach_before_they_ask() -> None:
    """A week and a term take everything; no exercise comes before the lesson that leads to it."""
    page = PAGE.read_text("utf-8")
    found = plans(page)
    assert list(found) == ["A day", *WHOLE]
    for path, (taught, tried) in found.items():
        assert taught == sorted(set(taught)) or path == "A week", path
        assert len(set(tried)) == len(tried), path
        leading = {unit.exercise for number, unit in LESSONS.items() if number in taught}
        assert set(tried) <= leading, f"{path}: an exercise without its lesson"
        if path in WHOLE:
            assert (sorted(taught), sorted(tried)) == (sorted(LESSONS), sorted(EXERCISES)), path


@pytest.mark.parametrize(
    ("text", "found"), [("1, 3–5", [1, 3, 4, 5]), ("–", []), (" 7 ", [7]), ("2, 1", [2, 1])]
)
def test_rows_are_read_as_numbers(text: str, found: list[int]) -> None:
    """Single ones, spans, and none."""
    assert numbers(text) == found


def test_every_lesson_has_its_notes() -> None:
    """Under its title: an aim, misconceptions, at least three questions, and what to watch for."""
    parts = re.split(r"^## Lesson (\d+): (.+)$", NOTES, flags=re.MULTILINE)[1:]
    titles = {int(number): title for number, title in zip(parts[::3], parts[1::3], strict=True)}
    lower = {number: unit.title.casefold() for number, unit in LESSONS.items()}
    assert {number: title.casefold() for number, title in titles.items()} == lower
    for number, text in zip(parts[::3], parts[2::3], strict=True):
        heads = re.findall(r"^\*\*(.+?)[.*]", text, flags=re.MULTILINE)
        wanted = ["Aim", "Misconceptions", "Questions for the room", "Watch for"]
        assert heads == wanted, number
        wrong, asked = text.partition("**Questions for the room**")[::2]
        assert len(re.findall(r'^- \*".+?"\* .+', wrong, flags=re.MULTILINE)) >= 3, number
        assert len(re.findall(r"^- .+", asked, flags=re.MULTILINE)) == 3, number


def test_the_page_on_the_quiz_bank_can_be_followed(tmp_path: Path) -> None:
    """quiz.md, from its first command to its last."""
    follow(PAGE.with_name("quiz.md"), tmp_path, {})
