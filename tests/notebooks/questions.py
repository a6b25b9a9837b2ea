"""What a lesson asks: its cells `yours-…` with a gap, their model answers, and answers that err.

A cell `yours-NAME` is the learner's part, with a `...` in it, and ends in `check_yourself(…)`. The
model answer is the fenced code of the Markdown cell `model-NAME`, folded away. Slips that people
make stand in the metadata of the cell, `{"mlkit": {"slips": [{"answer": …, "says": …}]}}`. Where
several answers are right, `"open": true` beside them keeps values from being changed at random.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.notebooks.lessons import Lesson

CALL = "check_yourself("
FOLDED = re.compile(
    r"<details>\s*<summary>Model answer</summary>\s*^```python\n(.*?)^```\s*</details>",
    re.MULTILINE | re.DOTALL,
)
MUTANTS = 4


@dataclass(frozen=True, kw_only=True)
class Question:
    """One cell that the learner fills."""

    name: str
    section: str
    given: str
    call: str
    model: str
    slips: tuple[dict[str, str], ...]
    several: bool

    def answered(self, part: str) -> str:
        """The cell's source, with something else in place of the learner's part."""
        return f"{part.rstrip()}\n\n{self.call}"


def questions_of(lesson: Lesson) -> list[Question]:
    """The questions of a lesson, in order."""
    models = {
        cell["id"].removeprefix("model-"): FOLDED.findall("".join(cell["source"]))
        for cell in lesson.cells
        if cell["cell_type"] == "markdown" and cell["id"].startswith("model-")
    }
    found: list[Question] = []
    section = ""
    for cell in lesson.cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            section = (re.findall(r"^## (.+?)\s*$", source, re.MULTILINE) or [section])[-1]
        elif cell["id"].startswith("yours-"):
            name = cell["id"].removeprefix("yours-")
            kept = cell["metadata"].get("mlkit", {})
            given, _, call = source.rpartition(f"\n{CALL}")
            found.append(
                Question(
                    name=name,
                    section=section,
                    given=given.strip(),
                    call=CALL + call,
                    model="".join(models.get(name, [])),
                    slips=tuple(kept.get("slips", ())),
                    several=kept.get("open", False),
                )
            )
    return found


def wrong_answers(question: Question) -> Iterator[str]:
    """The model answer with one literal value changed: a few that nobody could call right."""
    tree = ast.parse("" if question.several else question.model)
    for number, statement in enumerate(tree.body):
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        try:
            right = ast.literal_eval(statement.value)
        except ValueError:
            continue
        for wrong in list(_changed(right))[:MUTANTS]:
            mutant = copy.deepcopy(tree)
            changed = mutant.body[number]
            assert isinstance(changed, ast.Assign | ast.AnnAssign)
            changed.value = ast.parse(repr(wrong), mode="eval").body
            yield ast.unparse(mutant)


def _changed(value: Any) -> Iterator[Any]:
    """Other values of the same kind, and one of another kind."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1, str(value))
    elif isinstance(value, str) and "\n" not in value:
        yield f"not {value}"
    elif isinstance(value, set):
        yield from (value - {next(iter(sorted(value, key=repr)))}, value | {"nobody"})
    elif isinstance(value, list | tuple):
        yield value[:-1]
        if list(value) != list(value)[::-1]:
            yield value[::-1]
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: changed} for changed in list(_changed(item))[:1])
