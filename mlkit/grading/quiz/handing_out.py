"""Write questions in the form that somebody asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mlkit.errors import UsageError
from mlkit.grading.quiz.bank import Quiz
from mlkit.grading.quiz.moodle import moodle_xml
from mlkit.grading.quiz.notebooks import quiz_notebook
from mlkit.grading.quiz.qti import qti_package

__all__ = ["FORMS", "write_questions"]

FORMS = ("notebooks", "moodle", "qti", "markdown")


def write_questions(quizzes: Sequence[Quiz], form: str, to: Path) -> list[Path]:
    """Write the files of a form; all that could be refused is refused before.

    Parameters
    ----------
    quizzes : sequence of Quiz
        The questions.
    form : str
        One of FORMS.
    to : Path
        The folder.

    Returns
    -------
    list of Path
        The files, in order.

    Raises
    ------
    UsageError
        If a file is there and holds something else, such as somebody's answers.
    MissingExtraError
        If the form needs a library that is not installed.
    """
    made = {to / name: content for name, content in _files(quizzes, form)}
    if to.exists() and not to.is_dir():
        raise UsageError(f"{to} is a file", remedy="Name a folder with --to", code="E105")
    for path, content in made.items():
        if path.exists() and path.read_bytes() != content and path.suffix != ".zip":
            raise UsageError(
                f"{path} is there, and holds something else",
                remedy="Name another folder with --to, or move the file away",
                code="E105",
            )
    to.mkdir(parents=True, exist_ok=True)
    for path, content in made.items():
        path.write_bytes(content)
    return list(made)


def _files(quizzes: Sequence[Quiz], form: str) -> Iterator[tuple[str, bytes]]:
    if form == "moodle":
        yield "questions.xml", moodle_xml(quizzes).encode()
        return
    for quiz in quizzes:
        if form == "qti":
            yield f"{quiz.name}.zip", qti_package(quiz)
        elif form == "markdown":
            yield f"{quiz.name}.md", quiz.source.encode()
        else:
            yield f"{quiz.name}-quiz.ipynb", quiz_notebook(quiz).encode()
