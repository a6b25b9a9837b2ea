"""Questions as Moodle XML, which Moodle and most other platforms for learning import."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from mlkit.grading.quiz.bank import Choice, Question, Quiz
from mlkit.grading.quiz.commonmark import as_html

__all__ = ["FRACTIONS", "moodle_xml"]

FRACTIONS = {1: "100", 2: "50", 3: "33.33333", 4: "25", 5: "20", 6: "16.66667"}
"""The parts of a grade that Moodle's import accepts, by how many answers share it."""
_PENALTY = "0.3333333"


def moodle_xml(quizzes: Sequence[Quiz]) -> str:
    """Give one file for a question bank: a category a lesson, below `mlkit`. Pure.

    Parameters
    ----------
    quizzes : sequence of Quiz
        The questions.
    """
    root = ET.Element("quiz")
    for quiz in quizzes:
        category = ET.SubElement(root, "question", type="category")
        # A slash in a category's name opens a category below it, unless it is doubled.
        path = f"$course$/top/mlkit/{quiz.title.replace('/', '//')}"
        _text(ET.SubElement(category, "category"), path)
        for one in quiz.questions:
            _add(root, one)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ['<?xml version="1.0" encoding="UTF-8"?>\n', "\n"]
    )


def _add(root: ET.Element, one: Question) -> None:
    question = ET.SubElement(root, "question", type="multichoice")
    _text(ET.SubElement(question, "name"), one.title)
    _text(ET.SubElement(question, "questiontext", format="html"), as_html(one.ask))
    several = isinstance(one.right, set)
    reasons = "".join(as_html(f"{c.text} — {c.why}") for c in one.choices if c.is_right)
    _text(ET.SubElement(question, "generalfeedback", format="html"), reasons)
    for name, value in {
        "defaultgrade": "1",
        "penalty": _PENALTY,
        "hidden": "0",
        "idnumber": one.name,
        "single": str(not several).lower(),
        "shuffleanswers": "true",
        "answernumbering": "abc",
    }.items():
        ET.SubElement(question, name).text = value
    right = sum(choice.is_right for choice in one.choices)
    wrong = len(one.choices) - right
    for choice in one.choices:
        _add_answer(question, choice, _fraction(choice, right, wrong))


def _fraction(choice: Choice, right: int, wrong: int) -> str:
    """Right answers share the grade; where there are several, wrong ones take as much away."""
    if choice.is_right:
        return FRACTIONS[right]
    return f"-{FRACTIONS[wrong]}" if right > 1 else "0"


def _add_answer(question: ET.Element, choice: Choice, fraction: str) -> None:
    answer = ET.SubElement(question, "answer", fraction=fraction, format="html")
    ET.SubElement(answer, "text").text = as_html(choice.text)
    _text(ET.SubElement(answer, "feedback", format="html"), as_html(choice.why))


def _text(parent: ET.Element, text: str) -> None:
    ET.SubElement(parent, "text").text = text
