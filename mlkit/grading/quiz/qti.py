"""Questions as QTI 1.2, which Canvas and others import, by the library text2qti.

The library reads Markdown of another dialect, with formulas, typographic quotes and pictures. So
texts reach it as HTML on one line, in which no sign is left that it takes for its own.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from mlkit.errors import GradingError, needing_extra
from mlkit.grading.quiz.bank import LETTERS, Question, Quiz
from mlkit.grading.quiz.commonmark import as_html

__all__ = ["qti_package", "qti_text"]


def qti_text(quiz: Quiz) -> str:
    """Give the questions in the plain text that text2qti reads. Pure.

    Parameters
    ----------
    quiz : Quiz
        The questions on one lesson.
    """
    lines = [f"Quiz title: {quiz.title}", "Shuffle answers: true", ""]
    for number, one in enumerate(quiz.questions, 1):
        lines += [*_question(number, one), ""]
    return "\n".join(lines)


def _question(number: int, one: Question) -> Iterator[str]:
    yield f"Title: {one.title}"
    yield "Points: 1"
    # The library refuses a text that it has met before, whatever its answers: numbers differ.
    yield f"{number}. {_one_line(one.ask, f'question-{number}')}"
    several = isinstance(one.right, set)
    for letter, choice in zip(LETTERS, one.choices, strict=False):
        if several:
            mark = "[*]" if choice.is_right else "[ ]"
        else:
            mark = f"{'*' if choice.is_right else ''}{letter})"
        yield f"{mark} {_one_line(choice.text)}"
        yield f"... {_one_line(choice.why)}"


_SIGNS = str.maketrans({sign: f"&#{ord(sign)};" for sign in "$\\`\n"})
"""Formulas and their commands, code, and line ends → what HTML writes for them."""


def _one_line(markdown: str, kind: str = "answer") -> str:
    """One block of HTML: within it the library changes nothing."""
    return f'<div class="{kind}">{as_html(markdown).translate(_SIGNS)}</div>'


def qti_package(quiz: Quiz) -> bytes:
    """Give the zip that a platform imports.

    Parameters
    ----------
    quiz : Quiz
        The questions on one lesson.

    Raises
    ------
    MissingExtraError
        If text2qti is not installed.
    GradingError
        If it refuses the questions.
    """
    # An optional library, for those who export to such a platform.
    with needing_extra("quiz", "The form qti"):
        import text2qti.config
        import text2qti.err
        import text2qti.qti
        import text2qti.quiz
    config = text2qti.config.Config()
    made = io.BytesIO()
    try:
        read = text2qti.quiz.Quiz(qti_text(quiz), config=config, source_name=quiz.name)
        text2qti.qti.QTI(read).write(made)
    except text2qti.err.Text2qtiError as refusal:
        raise GradingError(
            f"text2qti refuses the questions of {quiz.name}: {refusal}",
            remedy="Change that question, or choose another form",
        ) from refusal
    return made.getvalue()
