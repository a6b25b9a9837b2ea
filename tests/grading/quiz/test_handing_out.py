"""What is made of questions: notebooks that check themselves, and what platforms import."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mlkit.errors import UsageError
from mlkit.grading.quiz.bank import Question, kit_questions, read_bank
from mlkit.grading.quiz.handing_out import FORMS, write_questions

QUIZZES = read_bank(kit_questions())
GRADES = {0, 5, 10, 11.11111, 12.5, 14.28571, 16.66667, 20, 25, 30, 33.33333, 40, 50, 60, 66.66667,
          70, 75, 80, 83.33333, 90, 100}  # fmt: skip
"""The parts of a grade that Moodle imports, up to their sign; it refuses others."""


TYPED = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"", "`*")
"""Quotes that a library sets, and marks of Markdown."""


class Text(HTMLParser):
    """The text of a piece of HTML."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(markup)

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.found.append(data)

    def __str__(self) -> str:
        """Without marks and line ends."""
        return " ".join("".join(self.found).split())


def plain(markdown: str) -> str:
    """A text without the marks of Markdown, and with plain quotes."""
    return " ".join(markdown.translate(TYPED).split())


def test_moodle_gets_every_question_whole(tmp_path: Path) -> None:
    """Texts, feedback of each answer, and grades that add up and are among Moodle's own."""
    (file,) = write_questions(QUIZZES, "moodle", tmp_path)
    found = ET.fromstring(file.read_bytes())
    kinds = [one.get("type") for one in found]
    assert kinds.count("category") == len(QUIZZES)
    asked = [one for one in found if one.get("type") == "multichoice"]
    questions = [one for quiz in QUIZZES for one in quiz.questions]
    assert len(asked) == len(questions)
    assert len({one.findtext("idnumber") for one in asked}) == len(questions)
    for node, one in zip(asked, questions, strict=True):
        _hold_to_moodle(node, one)


def _hold_to_moodle(node: ET.Element, one: Question) -> None:
    """One question, as Moodle's importer reads it."""
    assert node.findtext("name/text") == one.title
    assert node.findtext("single") == str(isinstance(one.right, str)).lower()
    answers = node.findall("answer")
    grades = [float(answer.get("fraction", "")) for answer in answers]
    assert {abs(grade) for grade in grades} <= GRADES
    assert sum(grade for grade in grades if grade > 0) == pytest.approx(100, abs=0.01)
    for answer, grade, choice in zip(answers, grades, one.choices, strict=True):
        assert (grade > 0) == choice.is_right
        given = plain(str(Text(answer.findtext("text") or "")))
        assert given == plain(choice.text)
        assert plain(str(Text(answer.findtext("feedback/text") or ""))) == plain(choice.why)


def test_a_platform_that_reads_qti_gets_every_question(tmp_path: Path) -> None:
    """One package a lesson, with the right answers, and feedback for each."""
    files = write_questions(QUIZZES, "qti", tmp_path)
    for file, quiz in zip(files, QUIZZES, strict=True):
        package = zipfile.ZipFile(io.BytesIO(file.read_bytes()))
        (name,) = [n for n in package.namelist() if n.count("assessment_") == 2 and "meta" not in n]
        tree = ET.fromstring(package.read(name))
        space = {"q": tree.tag.partition("}")[0][1:]}
        items = tree.findall(".//q:item", space)
        assert [item.get("title") for item in items] == [one.title for one in quiz.questions]
        for item, one in zip(items, quiz.questions, strict=True):
            assert len(item.findall(".//q:response_label", space)) == len(one.choices)
            reasons = item.findall(".//q:itemfeedback//q:mattext", space)
            told = {plain(str(Text(reason.text or ""))) for reason in reasons}
            assert told == {plain(choice.why) for choice in one.choices}


def cells_of(file: Path) -> list[str]:
    """The code of a notebook."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return [cell["source"] for cell in cells if cell["cell_type"] == "code"]


def reply(code: str, answer: object, names: dict[str, Any]) -> str:
    """What a cell says of an answer."""
    *first, last = code.replace("answer = ...", f"answer = {answer!r}").splitlines()
    exec("\n".join(first), names)
    return repr(eval(last, names))


def test_notebooks_check_themselves(tmp_path: Path) -> None:
    """Untouched they say so, they take the right answer and no other, and say why not."""
    files = write_questions(QUIZZES, "notebooks", tmp_path)
    names: dict[str, Any] = {}
    for file, quiz in zip(files, QUIZZES, strict=True):
        imports, *answers = cells_of(file)
        exec(imports, names)
        for code, one in zip(answers, quiz.questions, strict=True):
            assert "✓" not in reply(code, ..., names).replace("...", "")
            assert "✓" in reply(code, one.right, names)
            for letter, choice in one.lettered.items():
                if not choice.is_right:
                    wrong = letter if isinstance(one.right, str) else {letter}
                    said = reply(code, wrong, names)
                    assert "✓" not in said
                    assert choice.why in said


def test_the_source_comes_back(tmp_path: Path) -> None:
    """A copy to edit reads as the bank does."""
    write_questions(QUIZZES, "markdown", tmp_path)
    assert read_bank(tmp_path) == QUIZZES


@pytest.mark.parametrize("form", FORMS)
def test_nobody_s_work_is_overwritten(form: str, tmp_path: Path) -> None:
    """Writing again is allowed while files are as written; packages hold nobody's work."""
    (file,) = write_questions(QUIZZES[4:5], form, tmp_path)
    assert write_questions(QUIZZES[4:5], form, tmp_path) == [file]
    if form != "qti":
        file.write_text("my answers")
        with pytest.raises(UsageError, match="holds something else"):
            write_questions(QUIZZES[4:5], form, tmp_path)
        assert file.read_text() == "my answers"
