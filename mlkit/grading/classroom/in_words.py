"""Answers in words: a page and a sheet for each question, and the marks of filled sheets.

No check reads such an answer. A solution has three cells of text for it: `written` (the question),
`written-answer` (where the learner writes) and `written-rubric` (a table of points, and a model
answer folded away). A sheet is a table with a line for each student and a column for each line of
the rubric; what a teacher has filled in becomes lines of `manual.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from mlkit.core.html_page import PLAIN_STYLE, html_page
from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.classroom.gradebook import Gradebook
from mlkit.grading.classroom.manual import MANUAL
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.notebook_cells import read_cells
from mlkit.grading.sandbox.bounded import TooCostlyError, bounded
from mlkit.grading.tables import (
    Row,
    did_you_mean,
    number_in,
    read_table,
    table_text,
    write_whole,
)
from mlkit.inside.checks.check_notebook import cell_text

__all__ = ["Question", "Rubric", "question_of", "take_marks", "write_sheets"]

ASKED, ANSWER, RUBRIC = "written", "written-answer", "written-rubric"
TOO_COSTLY: Final = "the notebook takes more memory or time to read than any honest one does"
BEGINS: Final = "In your own words: "
"""With this begins the comment of a line of `manual.csv` that came from a sheet."""
COLUMNS: Final = ("student", "exercise", "check", "points", "adjust", "comment")
_ROW = re.compile(r"^\|(.*)\|\s*$", re.MULTILINE)
_MODEL = re.compile(r"<details>\s*<summary>.*?</summary>(.*?)</details>", re.DOTALL)

STYLE = (
    PLAIN_STYLE
    + """
h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; }
th, td { padding: .3rem .8rem .3rem 0; vertical-align: top; }
th { overflow-wrap: normal; }
.words { white-space: pre-wrap; overflow-wrap: anywhere; }
blockquote { margin: .5rem 0; padding: .2rem 1rem; border-left: .4rem solid #00695c; }
"""
)
PAGE = """<main>
<h1>{{ question.title }}: in your own words</h1>
<p class="words">{{ question.asks }}</p>
<table>
<caption>The rubric, {{ question.most | points }} points together</caption>
<tbody>{% for line in question.rubric %}
<tr><th scope="row">{{ line.name }}</th>{% for points, words in line.levels %}
<td><strong>{{ points | points }}</strong> {{ words }}</td>{% endfor %}</tr>{% endfor %}
</tbody>
</table>
{% if question.model %}
<details><summary>A model answer</summary><p class="words">{{ question.model }}</p></details>
{% endif %}
<p>The marks go into <a href="{{ sheet | urlencode }}">{{ sheet }}</a>.</p>
{% for name, text in answers %}
<h2>{{ name }}</h2>
{% if text %}<blockquote class="words">{{ text }}</blockquote>{% else %}<p>Nothing was
written.</p>{% endif %}
{% endfor %}
</main>
"""


@dataclass(frozen=True, kw_only=True)
class Rubric:
    """One line of a rubric.

    Parameters
    ----------
    name : str
        What is looked at.
    levels : tuple
        Points, and what an answer has to hold for them.
    """

    name: str
    levels: tuple[tuple[float, str], ...]

    @property
    def most(self) -> float:
        """The points of the best level."""
        return max(points for points, _ in self.levels)


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question of an exercise that is answered in words.

    Parameters
    ----------
    exercise, title : str
        The exercise, and its heading.
    asks : str
        The question, without its heading.
    empty : str
        What learners find where they are to write.
    rubric : tuple of Rubric
        What is looked at.
    model : str
        A model answer; may be empty.
    """

    exercise: str
    title: str
    asks: str
    empty: str
    rubric: tuple[Rubric, ...]
    model: str = ""

    @property
    def most(self) -> float:
        """The points of a full answer."""
        return sum(line.most for line in self.rubric)


def question_of(exercise: Exercise) -> Question | None:
    """The question of an exercise that is answered in words; None if it has none.

    Raises
    ------
    GradingError
        If there is one, and no rubric that can be read.
    """
    texts = {
        cell.get("id"): cell_text(cell)
        for cell in exercise.notebook["cells"]
        if cell["cell_type"] == "markdown"
    }
    if ANSWER not in texts:
        return None
    told = texts.get(RUBRIC, "")
    rubric = _rubric(_MODEL.sub("", told))
    if not rubric:
        raise GradingError(
            f"{exercise.name} asks for an answer in words, and has no rubric",
            remedy=f"Write a table into the cell {RUBRIC!r}: the points in its first line, and a "
            "line for each thing that is looked at.",
        )
    model = _MODEL.search(told)
    return Question(
        exercise=exercise.name,
        title=exercise.title or exercise.name,
        asks=re.sub(r"\A#+ .*\n+", "", texts.get(ASKED, "")).strip(),
        empty=texts[ANSWER].strip(),
        rubric=rubric,
        model=model[1].strip() if model else "",
    )


def _rubric(text: str) -> tuple[Rubric, ...]:
    """The lines of the first table whose titles are numbers."""
    rows = [[cell.strip() for cell in row.split("|")] for row in _ROW.findall(text)]
    points = [number_in(cell) for cell in rows[0][1:]] if rows else []
    levels = [value for value in points if value is not None]
    if not levels or len(levels) != len(points):
        return ()
    return tuple(
        Rubric(name=row[0].strip("* "), levels=tuple(zip(levels, row[1:], strict=True)))
        for row in rows[1:]
        if len(row) == len(points) + 1 and not set(row[0]) <= set("-: ")
    )


def write_sheets(book: Gradebook, out: Path) -> dict[str, Any]:
    """Write a page and a sheet for each question; marks that a sheet holds already stay.

    Parameters
    ----------
    book : Gradebook
        What the class handed in.
    out : Path
        The folder.

    Returns
    -------
    dict
        `{"to", "manual", "questions"}`, as `mlkit class written --json` prints it.

    Raises
    ------
    GradingError
        If a rubric or a sheet cannot be read.
    """
    questions = _questions(book)
    # All sheets are read before anything is written: a broken one leaves everything as it is.
    filled = {q.exercise: _filled(_sheet(out, q), q) for q in questions}
    found = []
    for question in questions:
        answers = dict(_answers(book, question))
        titles = ["student", "name", "answer", *(line.name for line in question.rubric), "comment"]
        rows = [
            [
                student.id,
                student.name,
                answers[student.id],
                *_marks_of(filled[question.exercise].get(student.id), question),
            ]
            for student in book.students
            if student.id in answers
        ]
        sheet = _sheet(out, question)
        write_whole(sheet, table_text(titles, rows))
        page = sheet.with_suffix(".html")
        write_whole(page, _page(book, question, answers, sheet.name))
        found.append(_told(question, answers, filled[question.exercise], sheet))
    return {"to": str(out), "manual": None, "questions": found}


def take_marks(book: Gradebook, out: Path, manual: Path | None = None) -> dict[str, Any]:
    """Take the marks of filled sheets into the teacher's table; its other lines stay.

    Parameters
    ----------
    book : Gradebook
        What the class handed in.
    out : Path
        The folder of the sheets.
    manual : Path, optional
        The table; by default `manual.csv` in the grades' folder.

    Returns
    -------
    dict
        As `write_sheets`.

    Raises
    ------
    GradingError
        If there is no sheet, one cannot be read, or a mark is missing, no number or too high.
    """
    path = manual or book.folder / MANUAL
    questions = [q for q in _questions(book) if _sheet(out, q).exists()]
    if not questions:
        raise GradingError(
            "there is no sheet here",
            out,
            remedy="Write them first: mlkit class written GRADES --to DIR.",
            code="E804",
        )
    lines, found = [], []
    for question in questions:
        filled = _filled(_sheet(out, question), question)
        known = {student.id for student in book.students}
        for row in filled.values():
            if row.get("student") not in known:
                who = row.get("student")
                raise row.wrong(f"{who!r} is nobody of this class", did_you_mean(who, known))
            marks = _marked(row, question)
            if marks is not None:
                lines.append(_line(row, question, marks))
        answers = dict(_answers(book, question))
        found.append(_told(question, answers, filled, _sheet(out, question)))
    titles, kept = _kept(path)
    table = [[line.get(title.lower(), "") for title in titles] for line in [*kept, *lines]]
    write_whole(path, table_text(titles, table))
    return {"to": str(out), "manual": str(path), "questions": found}


def _questions(book: Gradebook) -> list[Question]:
    known = (book.known[name] for name in book.exercises if name in book.known)
    return [question for exercise in known if (question := question_of(exercise)) is not None]


def _sheet(out: Path, question: Question) -> Path:
    return out / f"{question.exercise}.csv"


def _answers(book: Gradebook, question: Question) -> Iterator[tuple[str, str]]:
    """Student's id → what was written; empty if it is what the cell held from the beginning."""
    for student in book.students:
        mark = book.marks[student.id, question.exercise]
        if mark.source is not None:
            yield student.id, _said(mark.source, question)


def _said(path: Path, question: Question) -> str:
    def written() -> str:
        texts = [str(cell["source"]) for cell in read_cells(path) if cell["id"] == ANSWER]
        return "\n\n".join(texts).strip()

    try:
        said = bounded(written)
    except GradingError as error:
        return f"({error.message})"  # the teacher reads why, at this student's place
    except TooCostlyError:
        return f"({TOO_COSTLY})"
    return "" if said == question.empty else said


def _filled(sheet: Path, question: Question) -> dict[str, Row]:
    """Student's id → the line of a sheet; nothing if there is none yet."""
    if not sheet.exists():
        return {}
    table = read_table(sheet)
    missing = [line.name for line in question.rubric if not table.has(line.name.lower())]
    if missing:
        raise GradingError(
            f"the sheet has no column {missing[0]!r}",
            sheet,
            1,
            remedy="Leave its titles as they were written, or delete it to have it written again.",
            code="E804",
        )
    return {row.get("student"): row for row in table.rows}


def _marks_of(row: Row | None, question: Question) -> list[Any]:
    """The cells that a teacher fills in, as they are; the comment is the last."""
    names = [*(line.name.lower() for line in question.rubric), "comment"]
    return [row.get(name) if row is not None else "" for name in names]


def _marked(row: Row, question: Question) -> dict[str, float] | None:
    """The points of a line by the rubric; None if nobody has marked it yet."""
    cells = {line: row.get(line.name.lower()) for line in question.rubric}
    if not any(cells.values()):
        return None
    marks = {}
    for line, text in cells.items():
        value = number_in(text)
        if value is None or not 0 <= value <= line.most:
            given = f"{text!r}" if text else "empty"
            raise row.wrong(
                f"the points for {line.name!r} are {given}",
                f"Give a number from 0 to {line.most:g} for every line of the rubric, or for none.",
            )
        marks[line.name] = value
    return marks


def _line(row: Row, question: Question, marks: Mapping[str, float]) -> dict[str, Any]:
    """A line of `manual.csv`: the points are added to those of the checks."""
    together = sum(marks.values())
    parts = ", ".join(f"{name} {points:g}" for name, points in marks.items())
    said = f"{BEGINS}{together:g} of {question.most:g} points ({parts})."
    return {
        "student": row.get("student"),
        "exercise": question.exercise,
        "adjust": together,
        "comment": f"{said} {row.get('comment')}".strip(),
    }


def _kept(path: Path) -> tuple[Sequence[str], list[Mapping[str, Any]]]:
    """The titles of a teacher's table, and its lines that came from no sheet."""
    if not path.exists():
        return COLUMNS, []
    table = read_table(path)
    titles = [*table.titles, *(title for title in COLUMNS if not table.has(title))]
    rows = (row for row in table.rows if not row.get("comment").startswith(BEGINS))
    return titles, [row.cells for row in rows]


def _told(
    question: Question, answers: Mapping[str, str], filled: Mapping[str, Row], sheet: Path
) -> dict[str, Any]:
    rubric = [line.name.lower() for line in question.rubric]
    marked = [row for row in filled.values() if any(row.get(name) for name in rubric)]
    return {
        "exercise": question.exercise,
        "title": question.title,
        "max": question.most,
        "answers": sum(1 for text in answers.values() if text),
        "marked": len(marked),
        "page": str(sheet.with_suffix(".html")),
        "sheet": str(sheet),
    }


def _page(book: Gradebook, question: Question, answers: Mapping[str, str], sheet: str) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters["points"] = lambda value: f"{value:g}"
    named = [(s.shown, answers[s.id]) for s in book.students if s.id in answers]
    body = environment.from_string(PAGE).render(question=question, answers=named, sheet=sheet)
    return html_page(f"{question.title}: in your own words", body, style=STYLE)
