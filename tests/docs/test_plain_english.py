"""README and the documents are in plain English, as far as rules can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlkit.cli.reference_pages import reference_pages
from mlkit.grading.exercise.words import read_words, with_answers
from tests.docs.plain_english import (
    MOST_WORDS,
    SHADOWS,
    SPELLINGS,
    check_words,
    faults,
    lesson_prose,
    prose_of,
    spoken,
)

ROOT = Path(__file__).resolve().parents[2]
LONG_SENTENCE = "[mlkit.sentence]"
NOT_HELD = {"benchmarks.md", "what-learners-write.md", "coverage.md"}
"""Pages that a command writes."""
HELD = [
    ROOT / "README.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name not in NOT_HELD),
]
LESSONS = sorted((ROOT / "notebooks" / "lessons").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
SAY = [
    *sorted((ROOT / "mlkit" / "inside" / "checks").glob("*.py")),
    *sorted((ROOT / "mlkit" / "grading" / "verdict").glob("*.py")),
    *sorted((ROOT / "mlkit" / "grading" / "listings").glob("*.py")),
    ROOT / "mlkit" / "testing" / "self_check.py",
]
"""Modules that speak to learners."""
GENERATED = re.compile(
    r"<!-- (?:lessons -->.*?<!-- end|features:.*?<!-- end of features) -->", re.DOTALL
)
"""Tables that a command writes, with titles of notebooks and sentences of refusals."""


@pytest.mark.parametrize("page", HELD, ids=lambda page: page.stem)
def test_a_page_is_in_plain_english(page: Path) -> None:
    """Common words, one spelling for each term, sentences that can be read in one go."""
    text = GENERATED.sub(
        lambda match: re.sub(r"[^\n]", " ", match[0]), page.read_text(encoding="utf-8")
    )
    assert faults(text, page.relative_to(ROOT).as_posix()) == []


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_in_plain_english(lesson: Path) -> None:
    """By the same rules; lines are counted over its cells of text."""
    assert faults(lesson_prose(lesson), lesson.name) == []


@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda path: path.stem)
def test_an_exercise_is_in_plain_english(solution: Path) -> None:
    """Its text, and every title, hint and sentence of its checks."""
    found = faults(lesson_prose(solution), solution.name)
    for check, words in check_words(solution):
        found += [f"{words!r}: {fault}" for fault in faults(words, check)]
    assert found == []


@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda path: path.stem)
def test_recorded_answers_have_plain_names(solution: Path) -> None:
    """What is written of them by authors; the sentences that they read are held above."""
    words = with_answers(read_words(solution))
    found = [fault for one in words.recorded for fault in faults(one.name, one.file.name)]
    assert found == []


@pytest.mark.parametrize("page", reference_pages())
def test_help_and_reference_use_the_common_words(page: str) -> None:
    """What commands, keys, errors and documents say of themselves; some sentences are longer."""
    found = [fault for fault in faults(reference_pages()[page], page) if LONG_SENTENCE not in fault]
    assert found == []


def test_every_check_has_words_that_are_looked_at() -> None:
    """A title and a general sentence at least; hundreds of sentences in all."""
    words = [word for solution in SOLUTIONS for word in check_words(solution)]
    assert len({check for check, _ in words}) > 100
    assert len(words) > 700


@pytest.mark.parametrize("module", SAY, ids=lambda path: path.stem)
def test_what_mlkit_says_to_learners_is_in_plain_english(module: Path) -> None:
    """The texts that its checks, its grader and the readers of listings put together."""
    found = [
        fault.replace(":1:", f":{line}:", 1)
        for line, text in spoken(module)
        for fault in faults(text, module.name)
    ]
    assert found == []


def test_pages_that_are_not_held_are_there() -> None:
    """The list names no page that is gone."""
    assert {path.name for path in (ROOT / "docs").rglob("*.md")} >= NOT_HELD


LONG = " ".join(["word"] * (MOST_WORDS + 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("We mend it.", ":1: Write 'repair, correct, fix' instead of 'mend'."),
        ("Fine.\n\nWhoever reads it.", ":3: Write 'if you"),
        ("On Github.", ":1: Write 'GitHub', not 'Github'."),
        ("It has a past history.", "Redundancy"),
        (f"{LONG}.", f":1: {MOST_WORDS + 1} words"),
        (f"- One.\n- {LONG}.\n- Two.", f": {MOST_WORDS + 1} words"),
    ],
)
def test_what_is_not_plain_is_found(text: str, said: str) -> None:
    """With its line, and what to write."""
    found = faults(text, "page.md")
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "Fine. `we mend it`",
        "```text\nwe mend it\n```",
        "[GitHub](https://example.org/Github)",
        f"# {LONG}",
        f"| {LONG} |",
        f"{' '.join(['word'] * MOST_WORDS)}. {' '.join(['Word'] * MOST_WORDS)}!",
        f"A list: `{LONG}`.",
        "- One\n- two\n- " + "\n- ".join(["three four five"] * 9),
    ],
)
def test_what_is_plain_is_left_alone(text: str) -> None:
    """Code, addresses, headings, tables, and sentences of the longest allowed length."""
    assert faults(text, "page.md") == []


def test_places_are_kept() -> None:
    """Masked text has the length and the lines of the original."""
    text = "a `b\nc` <!-- d -->\n```python\nx\n```\n[e](f)\n"
    assert [len(line) for line in prose_of(text).splitlines()] == [
        len(line) for line in text.splitlines()
    ]


def test_the_vocabulary_asks_for_no_word_that_it_refuses() -> None:
    """Neither list sends a writer in a circle."""
    for wrong, right in {**SHADOWS, **SPELLINGS}.items():
        assert faults(f"It is {right}.", "page.md") == [], wrong
