"""A mark that is missing or misspelled is told: else learners would get the model answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from mlkit.grading.exercise.solution_marks import BEGIN, BEGIN_STUB, END, END_STUB, faults_of_marks
from mlkit.grading.exercise.source import Exercise
from mlkit.inside.checks.check_notebook import cell_text

MARKS = (BEGIN, END, BEGIN_STUB, END_STUB)
SLIPS = {
    "is gone": "",
    "in small letters": "{small}",
    "with too few signs": "#{bare}",
    "without a blank": "{joined}",
    "with blanks of another kind": "###\u00a0{bare}",
    "with a remark": "{mark} (3 points)",
    "without its last letter": "{shorter}",
    "with two letters swapped": "{swapped}",
    "twice": "{mark}\n{mark}",
}


def _slipped(mark: str, way: str) -> str:
    bare = mark.removeprefix("### ")
    swapped = f"### {bare[1]}{bare[0]}{bare[2:]}"
    return SLIPS[way].format(
        mark=mark,
        small=mark.lower(),
        bare=bare,
        joined=mark.replace(" ", ""),
        shorter=mark[:-1],
        swapped=swapped,
    )


def _answers(exercises: Mapping[str, Exercise]) -> Iterator[str]:
    for exercise in exercises.values():
        for cell in exercise.notebook["cells"]:
            if cell["id"] in exercise.answers:
                yield cell_text(cell)


def test_the_answers_of_mlkits_own_exercises_are_marked_well(
    exercises: Mapping[str, Exercise],
) -> None:
    """No word of an answer is taken for a slip."""
    assert [list(faults_of_marks(text)) for text in _answers(exercises)] == [
        [] for _ in _answers(exercises)
    ]


@pytest.mark.parametrize("way", SLIPS)
def test_every_slip_in_every_mark_is_told(way: str, exercises: Mapping[str, Exercise]) -> None:
    """In each line that is a mark, of each answer."""
    silent = []
    for text in _answers(exercises):
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if line.strip() in MARKS:
                new = _slipped(line.strip(), way).splitlines()
                broken = "\n".join([*lines[:number], *new, *lines[number + 1 :]])
                if not any(faults_of_marks(broken)):
                    silent.append(broken)
    assert silent == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{BEGIN}\nx = 1", [f"has {BEGIN!r} with no {END!r} after it"]),
        (f"x = 1\n{END}", [f"has {END!r} with no {BEGIN!r} before it"]),
        (f"{BEGIN}\n{END_STUB}", [f"has {END_STUB!r} with no {BEGIN_STUB!r} before it"]),
        (
            f"{BEGIN}\nx = 1\n{BEGIN_STUB}\n# x = 2\n{END_STUB}",
            [f"has {BEGIN_STUB!r} where {END!r} is still to come"],
        ),
        (
            f"### BEGIN SOLUTON\nx = 1\n{END}",
            ["has the line '### BEGIN SOLUTON', which is no mark"],
        ),
    ],
)
def test_one_slip_is_one_fault(text: str, told: list[str]) -> None:
    """What was meant counts for the rest of the cell, and each fault has its remedy."""
    found = list(faults_of_marks(text))
    assert [fact for fact, _ in found] == told
    assert all(remedy.endswith(("?", ".")) for _, remedy in found)


@pytest.mark.parametrize(
    "comment", ["# find solution", "# the end of the solution", "## The answer", "# begin", "x = 1"]
)
def test_a_plain_comment_is_no_mark(comment: str) -> None:
    """It may speak of solutions."""
    assert list(faults_of_marks(f"{BEGIN}\n{comment}\n{END}\n{comment}")) == []
