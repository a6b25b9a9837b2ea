"""Questions as QTI 1.2, which Canvas and others import, by the library text2qti."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from mlkit.errors import needing_extra
from mlkit.grading.quiz.bank import LETTERS, Question, Quiz

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
    mark = f"{number}. "
    yield from _indented(mark, one.ask)
    several = isinstance(one.right, set)
    for letter, choice in zip(LETTERS, one.choices, strict=False):
        if several:
            mark = "[*] " if choice.is_right else "[ ] "
        else:
            mark = f"{'*' if choice.is_right else ''}{letter}) "
        yield from _indented(mark, choice.text)
        yield from _indented("... ", choice.why)


def _indented(mark: str, text: str) -> Iterator[str]:
    """A text whose further lines stand below its first; `$` would begin a formula."""
    first, *rest = re.sub(r"\$", r"\\$", text).splitlines()
    yield f"{mark}{first}"
    yield from (f"{' ' * len(mark)}{line}" if line else "" for line in rest)


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
    """
    # An optional library, for those who export to such a platform.
    with needing_extra("quiz", "The form qti"):
        import text2qti.config
        import text2qti.qti
        import text2qti.quiz
    config = text2qti.config.Config()
    read = text2qti.quiz.Quiz(qti_text(quiz), config=config, source_name=quiz.name)
    made = io.BytesIO()
    text2qti.qti.QTI(read).write(made)
    return made.getvalue()
