"""Read a solution notebook and make the exercise from it.

A solution is the one source: the exercise that a learner gets is generated from it and never
edited by hand. What a cell is for follows from its role, `answer-…`, `probe-…`, `check-…` or
`feedback-…`, said in its first line, by a tag or by its id; anything else is prose, a worked
example or set-up. What people write about it stands in `NAME.yaml` beside the notebook.
`docs/grading.md` tells authors the whole format.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.exercise.roles import line_of_cell, read_notebook_file, role_ids, with_roles
from mlkit.grading.exercise.solution_marks import (
    BEGIN,
    BEGIN_STUB,
    END,
    END_STUB,
    faults_of_marks,
    first_mark,
)
from mlkit.grading.exercise.words import (
    Recorded,
    Words,
    data_files,
    read_words,
    with_answers,
    words_file,
)
from mlkit.inside.checks.check_facts import CONDITIONS, KIND_WORDS, CheckSpec, sentence_of
from mlkit.inside.checks.check_history import stub_digest
from mlkit.inside.checks.check_notebook import cell_text, check_from_cell, is_hidden

__all__ = [
    "GIVEN",
    "Exercise",
    "exercise_identity",
    "exercise_notebook",
    "is_given",
    "load_exercise",
    "notebook_text",
    "read_exercise",
    "stub_of",
]

GIVEN = Path(".mlkit", "exercises")
"""Where a folder for learners keeps its exercises as they were given."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

WITNESS_KEYS = frozenset({"files", "replaced", "table", "asks"})

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
    data : Mapping
        What learners get beside the notebook: the name that it is read by → the file.
    words : Words, optional
        What stands beside the notebook; None of an exercise as it is given to learners.
    """

    name: str
    title: str
    notebook: Notebook
    answers: Mapping[str, str]
    checks: tuple[CheckSpec, ...]
    data: Mapping[str, Path] = field(default_factory=dict)
    words: Words | None = None

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


def load_exercise(path: Path) -> Exercise:
    """Read a solution notebook and check that it keeps the exercise format.

    Parameters
    ----------
    path : Path
        The solution notebook; or an exercise as it was given, in a folder for learners.

    Returns
    -------
    Exercise
        Its answers, stubs and checks.

    Raises
    ------
    GradingError
        If the notebook breaks the format; the message names the cell.
    """
    exercise, faults = read_exercise(path)
    for fault in faults:
        raise fault
    return exercise


def is_given(path: Path) -> bool:
    """Whether a notebook, or a folder of them, is a learner's folder's: nothing is hidden there."""
    folder = path.parent if path.suffix == ".ipynb" else path
    return folder.parts[-len(GIVEN.parts) :] == GIVEN.parts


def read_exercise(path: Path, *, with_folder: bool = False) -> tuple[Exercise, list[GradingError]]:
    """Read a solution, and say everything in which it breaks the format.

    Parameters
    ----------
    path : Path
        The solution notebook.
    with_folder : bool
        Whether to read the answers of its folder, too; only trials need them.

    Raises
    ------
    GradingError
        If the notebook is none, or the role of a cell cannot be told.
    """
    raw = read_notebook_file(path)
    if is_given(path):
        return _given(path, raw), []
    words = with_answers(read_words(path)) if with_folder else read_words(path)
    notebook = _with_words(with_roles(raw, path), words)
    code = list(_code(notebook))
    exercise = Exercise(
        name=path.stem,
        title=_title(notebook),
        notebook=notebook,
        answers={c["id"]: stub_of(cell_text(c)) for c in code if c["id"].startswith("answer-")},
        checks=tuple(check_from_cell(c) for c in code if c["id"].startswith("check-")),
        data=data_files(path.parent, words.data),
        words=words,
    )
    ids = role_ids(raw, path)
    placed = [
        GradingError(message, *_place(cell, path, ids, words), remedy)
        for cell, message, remedy in _faults(exercise)
    ]
    return exercise, [*words.faults, *_faults_of_words(exercise, words), *placed]


def _given(path: Path, notebook: Notebook) -> Exercise:
    """An exercise as learners have it: its answers are stubs, and none of its checks is hidden."""
    code = list(_code(notebook))
    names = notebook.get("metadata", {}).get("mlkit", {}).get("data", ())
    return Exercise(
        name=path.stem,
        title=_title(notebook),
        notebook=notebook,
        answers={c["id"]: cell_text(c) for c in code if c["id"].startswith("answer-")},
        checks=tuple(check_from_cell(c) for c in code if c["id"].startswith("check-")),
        data=data_files(path.parents[len(GIVEN.parts)] / "exercises", names),
    )


def _place(cell: str, path: Path, ids: Sequence[str], words: Words) -> tuple[Path, int | None]:
    """Where one mends what is wrong with a cell: in its words, if it has any, else in it."""
    if cell in words.lines:
        return words.file, words.lines[cell]
    last = len(ids) - 1 - ids[::-1].index(cell) if cell in ids else None
    return path, None if last is None else line_of_cell(path, last)


def _with_words(notebook: Notebook, words: Words) -> Notebook:
    """A notebook whose checks know their words, as if these stood in the cells' metadata."""
    about = dict(notebook.get("metadata", {}).get("mlkit", {}))
    if words.limits:
        about["limits"] = {**about.get("limits", {}), **words.limits}
    if words.data:
        about["data"] = list(words.data)
    if about:
        notebook["metadata"] = {**notebook.get("metadata", {}), "mlkit": about}
    answer = ""
    for cell in _code(notebook):
        answer = cell["id"] if cell["id"].startswith("answer-") else answer
        told, own = words.checks.get(cell["id"]), cell["metadata"].get("mlkit", {})
        if told is not None or (cell["id"].startswith("check-") and not own):
            usual = {"points": 1, "answers": [answer] if answer else []}
            cell["metadata"]["mlkit"] = {**usual, **own, **(told or {})}
    return notebook


def exercise_identity(solution: Path) -> str:
    """The digest of all that an exercise is: its notebook, its words, and its data."""
    digest = hashlib.sha256()
    files = {path.name: path for path in (solution, words_file(solution))}
    if files[words_file(solution).name].is_file():
        files |= data_files(solution.parent, read_words(solution).data)
    for name, path in sorted(files.items()):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()} ".encode())
    return digest.hexdigest()


ASKS = re.compile(r"\bmlkit\.check\(\s*([\"'])(.+?)\1")
Fault = tuple[str, str, str | None]
"""The id of the cell, what is wrong with it, and what to do."""


def _faults(exercise: Exercise) -> Iterator[Fault]:
    """Everything in which a solution breaks the exercise format."""
    ids = [cell["id"] for cell in exercise.notebook["cells"]]
    for name in sorted({i for i in ids if ids.count(i) > 1}):
        yield name, f"two cells have the id {name!r}", "Copied cells keep their tags: rename one."
    if not exercise.answers:
        remedy = "Give the cell that learners write the tag answer-NAME."
        yield "", "no cell has an id that starts with 'answer-'", remedy
    yield from _faults_of_marks(exercise)
    for name, text in exercise.solution.items():
        if text == exercise.answers[name]:
            remedy = "Put these two lines around what learners are to write themselves."
            yield name, f"the cell {name!r} has no region from '{BEGIN}' to '{END}'", remedy
    visible = [check.id for check in exercise.checks if not check.hidden]
    for cell in _code(exercise.notebook):
        for _, name in ASKS.findall(cell_text(cell)):
            if name not in visible:
                fault = f"mlkit.check({name!r}) asks for a check that learners do not have"
                yield cell["id"], fault, _near(name, visible)
    for check in exercise.checks:
        for fault, what_to_do in _faults_of_check(check, exercise):
            yield check.id, f"the check {check.id!r} {fault}", what_to_do


def _faults_of_marks(exercise: Exercise) -> Iterator[Fault]:
    """Marks by which learners would read what they are to write themselves."""
    for cell in exercise.notebook["cells"]:
        text, name = cell_text(cell), cell["id"]
        if name in exercise.answers and cell["cell_type"] == "code":
            for fault, remedy in faults_of_marks(text):
                yield name, f"the cell {name!r} {fault}", remedy
        elif not is_hidden(cell) and (mark := first_mark(text, code=cell["cell_type"] == "code")):
            fault = f"the cell {name!r} is no answer, and has {mark!r}: learners would read it all"
            yield name, fault, "Give the cell the tag answer-NAME, or take the line away."


def _faults_of_check(check: CheckSpec, exercise: Exercise) -> Iterator[tuple[str, str | None]]:
    for name in check.answers:
        if name not in exercise.answers:
            yield f"names the answer {name!r}, which no cell has", _near(name, exercise.answers)
    if not check.answers:
        yield "names no answer", "Put it below the cell that learners write, tagged answer-NAME."
    if not _is_worth(check.points):
        yield f"is worth {check.points!r} points", "Give a number of points from 0."
    if not check.otherwise:
        remedy = f"Write it in {exercise.name}.yaml: what a learner reads on any other wrong result"
        yield "has no sentence 'otherwise'", remedy
    if check.witness and (not check.hidden or check.witness.keys() != WITNESS_KEYS):
        keys = ", ".join(sorted(WITNESS_KEYS))
        yield f"has a witness, which has {keys}, and belongs to a hidden check", None
    yield from _faults_of_sentences(check)
    for name in check.accept:
        if check.expected and name not in check.expected:
            yield f"accepts a fact {name!r} that it never prints", _near(name, check.expected)


def _is_worth(points: object) -> bool:
    """Whether points can be added up: no text, nothing below 0, no infinity, and not nan."""
    return (
        isinstance(points, int | float)
        and not isinstance(points, bool)
        and math.isfinite(points)
        and points >= 0
    )


def _faults_of_sentences(check: CheckSpec) -> Iterator[tuple[str, str | None]]:
    """Conditions that are spelled wrong, or tell two mistakes apart that have the same facts."""
    seen: dict[str, str] = {}
    for entry in check.misconceptions:
        unknown = sorted(entry.keys() - {*CONDITIONS, "say", "asks"})
        if unknown:
            yield (
                f"has a misconception with an unknown key {unknown[0]!r}",
                _near(unknown[0], (*CONDITIONS, "say", "asks")),
            )
        if ("say" in entry) == ("asks" in entry) or ("asks" in entry and not entry.get("wrong")):
            remedy = "`say` names a mistake; `asks` what is asked where facts are `wrong`."
            yield "has a misconception without its one sentence", remedy
        for kind in set(entry.get("kinds", {}).values()) - KIND_WORDS.keys():
            yield f"names a kind {kind!r}; there are {', '.join(KIND_WORDS)}", None
        given = {name: entry[name] for name in CONDITIONS if entry.get(name)}
        key = json.dumps(given, sort_keys=True)
        if key in seen:
            both = f"{seen[key]!r} and {sentence_of(entry)!r}"
            remedy = "Nobody would ever read the second: give it a fact that singles it out."
            yield f"has two misconceptions with equal conditions: {both}", remedy
        seen[key] = sentence_of(entry)


def _faults_of_words(exercise: Exercise, words: Words) -> Iterator[GradingError]:
    """Words about what the notebook does not have."""
    checks = {check.id: check for check in exercise.checks}
    for name, line in words.lines.items():
        if name not in checks:
            message = f"no cell of {exercise.name}.ipynb is a check {name!r}"
            yield GradingError(message, words.file, line, _near(name, checks))
    for case in words.recorded:
        yield from _faults_of_answer(exercise, case, checks)


def _faults_of_answer(
    exercise: Exercise, case: Recorded, checks: Iterable[str]
) -> Iterator[GradingError]:
    """Cells, checks and texts of a recorded answer that the notebook does not have."""
    named = {*case.answers, *case.edits, *case.above, *case.below}
    unknown = sorted(named - exercise.answers.keys())
    for name in unknown:
        message = f"{case.name!r} answers {name!r}, which no cell of the notebook is"
        yield GradingError(message, case.file, case.line, _near(name, exercise.answers))
    if not unknown:
        try:
            case.sources(exercise.solution)
        except GradingError as fault:
            yield fault
    if case.kind == "wrong" and case.caught_by not in checks:
        message = f"{case.name!r} is caught by {case.caught_by!r}, which is no check"
        yield GradingError(message, case.file, case.line, _near(case.caught_by, checks))


def _near(name: str, known: Iterable[str]) -> str:
    """The name that was meant, perhaps; else all that there are."""
    there = list(known)
    near = get_close_matches(name, there, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"There are {', '.join(there)}." if there else "There is none."


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
    their `# ` instead, for exercises that start from code to be repaired.
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
        elif region and mark == region:
            region = ""
        elif region == END_STUB:
            # A blank line that is no comment comes from a formatter, which parts comments at the
            # margin from the code above.
            lines += [re.sub(r"^(\s*)# ?", r"\1", line)] if mark else []
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
    # A kernel's name, and what programs for notebooks keep, is of the author's machine.
    about = notebook.get("metadata", {}).get("mlkit")
    notebook["metadata"] = {"kernelspec": KERNEL, **({"mlkit": about} if about else {})}
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
        if cell["id"].startswith("probe-"):
            # What only the check needs is folded away: in JupyterLab, and on the site.
            cell["metadata"]["jupyter"] = {"source_hidden": True}
            tags = cell["metadata"].get("tags", [])
            cell["metadata"]["tags"] = [*tags, *({"hide-input"} - set(tags))]
    cell["outputs"], cell["execution_count"] = [], None
    return cell


def notebook_text(notebook: Notebook) -> str:
    """A notebook as the text of its file: stable, so that equal notebooks are equal bytes."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
