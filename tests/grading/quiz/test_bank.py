"""The bank of questions: read strictly, and right about the lessons that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlkit.errors import GradingError, UsageError
from mlkit.grading.quiz.bank import Question, kit_questions, question, read_bank, read_quiz

LESSONS = Path(__file__).resolve().parents[3] / "notebooks" / "lessons"
QUIZZES = read_bank(kit_questions())
QUESTIONS = [one for quiz in QUIZZES for one in quiz.questions]
ONE = """\
# Lesson 1: the weather

## Known when

Which column may it use?

- [ ] The rain of the afternoon
  > It has not fallen yet.
- [x] The rain of the day before
  > It was measured.
- [ ] The mean rain
  > The year is not over.
"""


def test_there_are_questions_on_every_lesson() -> None:
    """At least 80 in all and five a lesson, in files that bear the lessons' names and titles."""
    assert len(QUESTIONS) >= 80
    page = LESSONS.parents[1] / "docs" / "instructor" / "quiz.md"
    assert f"{len(QUESTIONS)} questions on the {len(QUIZZES)} lessons." in page.read_text("utf-8")
    assert min(len(quiz.questions) for quiz in QUIZZES) >= 5
    titles = {}
    for path in sorted(LESSONS.glob("*.ipynb")):
        first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
        titles[path.stem] = "".join(first).splitlines()[0].removeprefix("# ").casefold()
    assert {quiz.name: quiz.title.casefold() for quiz in QUIZZES} == titles


def test_every_answer_has_a_reason_of_its_own() -> None:
    """No reason explains two answers of a question, and none only repeats its answer."""
    for one in QUESTIONS:
        reasons = [choice.why for choice in one.choices]
        assert len(set(reasons)) == len(reasons), one.name
        assert all(len(choice.why) > 12 for choice in one.choices if not choice.is_right), one.name
        assert all(choice.why != choice.text for choice in one.choices), one.name


def test_the_form_of_an_answer_tells_nothing() -> None:
    """Neither its length nor its letter: who guesses by them is seldom right."""
    single = [one for one in QUESTIONS if isinstance(one.right, str)]
    long = [max(one.choices, key=lambda choice: len(choice.text)).is_right for one in single]
    short = [min(one.choices, key=lambda choice: len(choice.text)).is_right for one in single]
    assert sum(long) < 0.4 * len(single)
    assert sum(short) < 0.4 * len(single)
    for letter in "abcd":
        assert sum(one.right == letter for one in single) < 0.4 * len(single), letter


def test_no_answer_leans_on_another() -> None:
    """Answers are shuffled by platforms, so none says 'all of the above' or names a letter."""
    for one in QUESTIONS:
        for choice in one.choices:
            assert not re.search(r"\b(above|below|former|latter|answer [a-e])\b", choice.text, re.I)


def test_questions_are_known_by_name() -> None:
    """A wrong name is answered with the nearest."""
    for one in QUESTIONS:
        assert question(one.name) == one
    with pytest.raises(UsageError, match="skip-if-it-exists"):
        question("05-idempotency/skip-if-it-exist")


def only(text: str) -> Question:
    """The one question of a file."""
    (one,) = read_quiz(text, "01-weather", "01-weather.md").questions
    return one


def test_a_question_explains_what_was_chosen() -> None:
    """Wrong letters by their reasons; right ones, gaps and nonsense are passed over."""
    one = only(ONE)
    assert isinstance(one.right, str)
    assert one.lettered[one.right].text == "The rain of the day before"
    wrong = next(key for key, choice in one.lettered.items() if "afternoon" in choice.text)
    assert one.explain(wrong) == "It has not fallen yet."
    assert one.explain({wrong, one.right}) == "It has not fallen yet."
    assert [one.explain(answer) for answer in (..., one.right, "z")] == ["", "", ""]


def test_several_right_answers_are_a_set() -> None:
    """If the text says how many; then each has to be chosen."""
    text = ONE.replace("use?", "use? Choose two.").replace("[ ] The mean", "[x] The mean")
    two = only(f"{text}\n- [ ] The wind\n  > It has not blown yet.\n")
    assert isinstance(two.right, set)
    assert len(two.right) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[x]", "[ ]", ":3: 'Known when' asks for 1 and marks 0 right"),
        ("[ ] The mean", "[x] The mean", ":3: 'Known when' asks for 1 and marks 2 right"),
        ("use?", "use? Choose two.", ":3: 'Known when' asks for 2 and marks 1 right"),
        ("use?", "use? Choose many.", "asks for .*Choose many.* and marks 1 right"),
        ("  > It was measured.\n", "", ":9: the answer 'The rain of the day before' has no reason"),
        ("  > It was", "It was", ":9: the answer 'The rain of the day before' has no reason"),
        ("The mean rain", "the rain of the afternoon.", ":3: 'Known when' offers an answer twice"),
        ("- [ ] The mean rain\n  > The year is not over.\n", "", ":3: 'Known when' has 2 answers"),
        ("[ ] The mean", "[] The mean", ":11: this is neither an answer nor a reason"),
        ("Which column may it use?", "", ":3: 'Known when' asks nothing"),
        ("## Known when", "Known when", ":1: there is no question"),
        ("# Lesson 1: the weather", "", ":1: the first line is no heading"),
        ("measured", "mea\bsured", r":10: the character U\+0008 cannot be exported"),
        ("Known when", "???", r":3: '\?\?\?' is no title that every platform keeps"),
        ("Known when", "list<int>", ":3: 'list<int>' is no title"),
        ("Known when", "Known " * 20, ":3: 'Known .*' is no title"),
        ("It was measured", "![It was](gauge.png)", ":3: 'Known when' shows gauge.png, a file"),
    ],
)
def test_what_is_no_question_is_refused(old: str, new: str, said: str) -> None:
    """With its line and what to write."""
    text = ONE.replace(old, new, 1)
    assert text != ONE
    with pytest.raises(GradingError, match=said):
        read_quiz(text, "01-weather", "01-weather.md")


def test_a_title_stands_once() -> None:
    """Names are made of titles."""
    with pytest.raises(GradingError, match=":14: two questions are called 'Known when'"):
        read_quiz(ONE + ONE.partition("\n")[2], "01-weather", "01-weather.md")


def test_a_picture_of_the_web_and_one_in_code_are_taken() -> None:
    """Only a file beside the questions stays behind."""
    text = ONE.replace(
        "use?", "use? ![x](https://example.org/x.png)\n\n    ![x](x.png)\n\n`![](y)`"
    )
    assert only(text).ask.endswith("`![](y)`")


def test_titles_in_other_scripts_have_names() -> None:
    """Two of them are two."""
    text = ONE.replace("Known when", "何時") + ONE.partition("\n")[2].replace("Known when", "誰")
    names = [one.name for one in read_quiz(text, "01-weather", "01-weather.md").questions]
    assert names == ["01-weather/何時", "01-weather/誰"]


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    """With the line that cannot be read."""
    (tmp_path / "01-weather.md").write_bytes(
        ONE.replace("measured", "gemessen, natürlich").encode("latin-1")
    )
    with pytest.raises(GradingError, match=r"01-weather.md:10: this is no text in UTF-8"):
        read_bank(tmp_path)
