"""Read a solution notebook and make the exercise from it.

A solution is the one source: the exercise that a learner gets is generated from it and never
edited by hand. What a cell is for follows from its id: `answer-…`, `probe-…`, `check-…`,
`feedback-…`; anything else is prose, a worked example or set-up. `docs/grading.md` tells authors
the whole format.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.inside.check_facts import CONDITIONS, KIND_WORDS, CheckSpec
from mlkit.inside.check_history import stub_digest
from mlkit.inside.check_notebook import cell_text, check_from_cell, is_hidden

__all__ = [
    "Exercise",
    "exercise_notebook",
    "load_exercise",
    "notebook_text",
    "read_notebook_file",
    "stub_of",
]

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_STUB, END_STUB = "### BEGIN STUB", "### END STUB"

Cell = dict[str, Any]
Notebook = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise, as the grader knows it.

    Parameters
    ----------
    name : str
        The stem of its file, such as `03-idempotency`.
    title : str
        The notebook's first heading.
    notebook : dict
        The solution notebook, hidden checks and reference outputs included.
    answers : Mapping
        Answer cell id → the stub that a learner is given.
    checks : tuple of CheckSpec
        In the notebook's order.
    """

    name: str
    title: str
    notebook: Notebook
    answers: Mapping[str, str]
    checks: tuple[CheckSpec, ...]

    @property
    def limits(self) -> dict[str, Any]:
        """The limits that the exercise sets itself (`mlkit.limits` in the notebook's metadata)."""
        about = self.notebook.get("metadata", {}).get("mlkit", {})
        return dict(about.get("limits", {}))

    @functools.cached_property
    def given_code(self) -> dict[str, str]:
        """Id → source, for the code cells of the notebook that learners are given."""
        cells = exercise_notebook(self)["cells"]
        return {cell["id"]: cell_text(cell) for cell in cells if cell["cell_type"] == "code"}

    @property
    def max_points(self) -> float:
        """What a full answer is worth."""
        return sum(check.points for check in self.checks)

    @property
    def solution(self) -> dict[str, str]:
        """Answer cell id → the model answer, without the marker lines."""
        return {
            cell["id"]: _without_markers(cell_text(cell))
            for cell in _code(self.notebook)
            if cell["id"] in self.answers
        }


def read_notebook_file(path: Path) -> Notebook:
    """A trusted notebook as plain JSON; what is wrong with it is said in one sentence.

    Raises
    ------
    GradingError
        If the file is missing or is no notebook of format 4 with cell ids.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GradingError("there is no such notebook", path) from None
    except ValueError as error:
        raise GradingError(f"the file is not JSON ({error})", path) from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(c, dict) and "id" in c for c in cells):
        raise GradingError("the file is not a notebook of format 4.5 with cell ids", path)
    return dict(notebook)


def load_exercise(path: Path) -> Exercise:
    """Read a solution notebook and check that it keeps the exercise format.

    Parameters
    ----------
    path : Path
        The solution notebook.

    Returns
    -------
    Exercise
        Its answers, stubs and checks.

    Raises
    ------
    GradingError
        If the notebook breaks the format; the message names the cell.
    """
    notebook = read_notebook_file(path)
    answers = {
        c["id"]: stub_of(cell_text(c)) for c in _code(notebook) if c["id"].startswith("answer-")
    }
    checks = tuple(check_from_cell(c) for c in _code(notebook) if c["id"].startswith("check-"))
    exercise = Exercise(
        name=path.stem, title=_title(notebook), notebook=notebook, answers=answers, checks=checks
    )
    for fault in _faults(exercise):
        raise GradingError(fault, path)
    return exercise


def _faults(exercise: Exercise) -> Iterator[str]:
    """Everything in which a solution breaks the exercise format."""
    ids = [cell["id"] for cell in exercise.notebook["cells"]]
    for name in sorted({i for i in ids if ids.count(i) > 1}):
        yield f"two cells have the id {name!r}"
    if not exercise.answers:
        yield "no cell has an id that starts with 'answer-'"
    for name, text in exercise.solution.items():
        if text == exercise.answers[name]:
            yield f"the cell {name!r} has no region from '{BEGIN}' to '{END}'"
    for check in exercise.checks:
        for name in check.answers:
            if name not in exercise.answers:
                yield f"the check {check.id!r} names the answer {name!r}, which no cell has"
        if not check.answers:
            yield f"the check {check.id!r} names no answer"
        if not check.otherwise:
            yield f"the check {check.id!r} has no sentence 'otherwise'"
        yield from _faults_of_sentences(check)
        for name in check.accept:
            if name not in check.expected:
                yield f"the check {check.id!r} accepts a fact {name!r} that it never prints"


def _faults_of_sentences(check: CheckSpec) -> Iterator[str]:
    """Conditions that are spelled wrong, or tell two mistakes apart that have the same facts."""
    seen: dict[str, str] = {}
    for entry in check.misconceptions:
        unknown = sorted(entry.keys() - {*CONDITIONS, "say"})
        if unknown:
            yield f"the check {check.id!r} has a misconception with an unknown key {unknown[0]!r}"
        for kind in set(entry.get("kinds", {}).values()) - KIND_WORDS.keys():
            yield f"the check {check.id!r} names a kind {kind!r}; there are {', '.join(KIND_WORDS)}"
        given = {name: entry[name] for name in CONDITIONS if entry.get(name)}
        key = json.dumps(given, sort_keys=True)
        if key in seen:
            both = f"{seen[key]!r} and {entry.get('say')!r}"
            yield f"the check {check.id!r} has two misconceptions with equal conditions: {both}"
        seen[key] = str(entry.get("say"))


def _title(notebook: Notebook) -> str:
    for cell in notebook["cells"]:
        heading = re.match(r"# +(.+)", cell_text(cell))
        if cell["cell_type"] == "markdown" and heading:
            return heading[1].strip()
    return ""


def _code(notebook: Notebook) -> Iterator[Cell]:
    return (cell for cell in notebook["cells"] if cell["cell_type"] == "code")


def stub_of(source: str) -> str:
    """What a learner is given in place of an answer.

    Each solution region becomes `raise NotImplementedError`, at the region's indentation. A
    region `### BEGIN STUB` … `### END STUB`, whose lines are comments, becomes those lines without
    their `# ` instead, for exercises that start from code to be mended.
    """
    lines: list[str] = []
    region = ""
    given = BEGIN_STUB in source
    for line in source.splitlines():
        mark = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        if mark == BEGIN:
            region = END
            lines += [] if given else [f"{indent}raise NotImplementedError"]
        elif mark == BEGIN_STUB:
            region = END_STUB
        elif mark == region:
            region = ""
        elif region == END_STUB:
            lines.append(re.sub(r"^(\s*)# ?", r"\1", line))
        elif not region:
            lines.append(line)
    return "\n".join(lines)


def _without_markers(source: str) -> str:
    """The model answer as one would write it: no marker lines, no commented stub."""
    text = re.sub(rf"(?ms)^[ \t]*{BEGIN_STUB}$.*?^[ \t]*{END_STUB}$\n?", "", source)
    marks = {BEGIN, END}
    return "\n".join(line for line in text.splitlines() if line.strip() not in marks)


def exercise_notebook(exercise: Exercise) -> Notebook:
    """The notebook for learners: stubs for answers, no hidden check, outputs at checks only."""
    notebook = copy.deepcopy(exercise.notebook)
    notebook["cells"] = [
        _for_learner(cell, exercise) for cell in notebook["cells"] if not is_hidden(cell)
    ]
    return notebook


def _for_learner(cell: Cell, exercise: Exercise) -> Cell:
    if cell["cell_type"] != "code":
        return cell
    if cell["id"] in exercise.answers:
        stub = exercise.answers[cell["id"]]
        cell["metadata"] = {"mlkit": {"id": cell["id"], "stub": stub_digest(stub)}}
        cell["source"] = stub.splitlines(keepends=True)
    elif cell["id"].startswith("check-"):
        known = check_from_cell(cell)
        cell["metadata"]["mlkit"] = {
            **cell["metadata"]["mlkit"],
            "id": cell["id"],
            "given": stub_digest(cell_text(cell)),
            "expected": dict(known.expected),
        }
        cell["metadata"]["editable"] = False
        return cell
    else:
        # Programs that drop ids keep metadata.
        about = {"id": cell["id"], "given": stub_digest(cell_text(cell))}
        cell["metadata"]["mlkit"] = {**cell["metadata"].get("mlkit", {}), **about}
    cell["outputs"], cell["execution_count"] = [], None
    return cell


def notebook_text(notebook: Notebook) -> str:
    """A notebook as the text of its file: stable, so that equal notebooks are equal bytes."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
