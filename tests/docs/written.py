"""The table of what learners write: questions and lines, per lesson and exercise.

`make docs-tables` writes it; a test holds the page to it. A line counts that stands in the model
answer and not in what is given. Visible code is every line of a cell that is not folded away.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlkit.grading.exercise.source import exercise_notebook, read_exercise
from tests.docs.syllabus import ROOT, exercises
from tests.notebooks.lessons import LESSONS, Lesson
from tests.notebooks.questions import questions_of

__all__ = ["PAGE", "Written", "of_exercises", "of_lessons", "with_counts"]

PAGE = ROOT / "docs" / "instructor" / "what-learners-write.md"
_TABLES = {
    name: re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->)", re.DOTALL)
    for name in ("lessons", "exercises")
}


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a learner writes in one notebook: cells, lines, and the code lines to be read."""

    title: str
    cells: int
    lines: int
    visible: int


def _added(given: str, model: str) -> int:
    """How many lines of a model answer are not given."""
    told = difflib.ndiff(given.splitlines(), model.splitlines())
    return sum(line.startswith("+ ") and bool(line[2:].strip()) for line in told)


def _visible(cells: Iterable[dict[str, Any]]) -> int:
    return sum(
        bool(line.strip())
        for cell in cells
        if cell["cell_type"] == "code"
        and not cell["metadata"].get("jupyter", {}).get("source_hidden")
        for line in "".join(cell["source"]).splitlines()
    )


def of_lessons() -> Iterator[Written]:
    """Every lesson: its cells `yours-…`."""
    for lesson in map(Lesson, LESSONS):
        asked = questions_of(lesson)
        title = next(text for level, text in lesson.headings if level == 1)
        yield Written(
            title=title.removeprefix("Lesson ").replace(": ", " · ", 1),
            cells=len(asked),
            lines=sum(_added(question.given, question.model) for question in asked),
            visible=_visible(lesson.cells),
        )


def of_exercises() -> Iterator[Written]:
    """Every exercise: its answer cells."""
    for unit in exercises().values():
        found, _ = read_exercise(ROOT / "solutions" / unit.file.name)
        yield Written(
            title=f"{unit.number} · {unit.title}",
            cells=len(found.answers),
            lines=sum(_added(stub, found.solution[name]) for name, stub in found.answers.items()),
            visible=_visible(exercise_notebook(found)["cells"]),
        )


def _table(kind: str, rows: Iterable[Written]) -> str:
    every = list(rows)
    whole = Written(
        title=f"**{len(every)} {kind}s**",
        cells=sum(row.cells for row in every),
        lines=sum(row.lines for row in every),
        visible=sum(row.visible for row in every),
    )
    lines = [
        f"| {kind} | cells to fill | lines to write | lines of code to read |",
        "|---|---|---|---|",
    ]
    lines += [f"| {r.title} | {r.cells} | {r.lines} | {r.visible} |" for r in (*every, whole)]
    return "\n".join(lines) + "\n"


def with_counts(page: str) -> str:
    """Give the page with both tables as the notebooks are now."""
    page = _TABLES["lessons"].sub(lambda _: _table("lesson", of_lessons()), page)
    return _TABLES["exercises"].sub(lambda _: _table("exercise", of_exercises()), page)


def main(page: Path = PAGE) -> None:
    """Write the tables anew."""
    page.write_text(with_counts(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
