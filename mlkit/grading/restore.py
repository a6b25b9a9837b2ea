"""Take the answers out of a submission, and put them into the pristine notebook.

Nothing else of a submission is used: its outputs, tags, metadata and further cells are dropped, so
that whatever was done to them has no effect. What was done to them is flagged all the same.
"""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlkit.errors import GradingError
from mlkit.grading.source import Exercise, exercise_notebook
from mlkit.inside.check_facts import CheckSpec
from mlkit.inside.check_history import bound_names, stub_digest
from mlkit.inside.check_notebook import cell_text

__all__ = ["Step", "Submission", "read_cells", "read_submission", "restored", "take_answers"]

LARGEST_BYTES = 16 * 1024 * 1024
LARGEST_ANSWER = 200_000

Cell = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a submission amounts to.

    Parameters
    ----------
    answers : Mapping
        Answer cell id → its source, for the answer cells that were found.
    untouched : frozenset of str
        Answers that are still the stub, or empty.
    flags : tuple of str
        What was edited, missing or duplicated, a sentence each.
    """

    answers: Mapping[str, str]
    untouched: frozenset[str] = frozenset()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One cell that is executed: set-up, an answer, or a check with its probes before it."""

    id: str
    kind: Literal["setup", "answer", "check"]
    source: str
    spec: CheckSpec | None = None


def read_cells(path: Path) -> list[Cell]:
    """The cells of a notebook that may be anything at all.

    Raises
    ------
    GradingError
        If it is no regular file, too large, no JSON, or no notebook; in a sentence for its author.
    """
    try:
        status = path.lstat()
    except OSError as error:
        raise GradingError(f"the notebook cannot be read ({error.strerror})", path) from error
    if not stat.S_ISREG(status.st_mode):
        raise GradingError("the notebook is not a regular file (a link is not followed)", path)
    if status.st_size == 0:
        raise GradingError("the notebook is an empty file", path)
    if status.st_size > LARGEST_BYTES:
        raise GradingError(f"the notebook is larger than {LARGEST_BYTES // 1024**2} MiB", path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GradingError(f"the notebook cannot be read ({error.strerror})", path) from error
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise GradingError("the notebook cannot be read: it is not valid JSON", path) from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise GradingError("the file is not a notebook of format 4", path)
    return [_cell(cell) for cell in cells if isinstance(cell, dict)]


def _cell(cell: dict[str, Any]) -> Cell:
    """The parts that matter, in their proper types."""
    source = cell.get("source", "")
    lines = source if isinstance(source, list) else [source]
    text = "".join(line for line in lines if isinstance(line, str))
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return {
        "id": str(cell.get("id", "")),
        "cell_type": cell.get("cell_type"),
        "source": text.encode("utf-8", errors="replace").decode("utf-8"),
        "tags": [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else [],
    }


def read_submission(path: Path, exercise: Exercise) -> Submission:
    """Read a submission of an exercise; whatever is wrong with the file is a GradingError."""
    submission = take_answers(read_cells(path), exercise)
    if not submission.answers:
        wanted = ", ".join(exercise.answers)
        raise GradingError(f"the notebook has none of the exercise's answer cells ({wanted})", path)
    return submission


def take_answers(cells: Sequence[Cell], exercise: Exercise) -> Submission:
    """Take the source of the answer cells, and say what else was changed. Pure."""
    answers: dict[str, str] = {}
    for cell in cells:
        if cell["id"] in exercise.answers and cell["cell_type"] == "code":
            answers.setdefault(cell["id"], cell["source"])
    strayed = _strayed(cells, exercise, answers)
    answers |= strayed
    untouched = frozenset(
        name
        for name, source in answers.items()
        if not source.strip() or stub_digest(source) == stub_digest(exercise.answers[name])
    )
    too_long = {name for name, source in answers.items() if len(source) > LARGEST_ANSWER}
    if too_long:
        raise GradingError(
            f"the answer {min(too_long)!r} is longer than {LARGEST_ANSWER} characters"
        )
    return Submission(
        answers=answers, untouched=untouched, flags=tuple(_flags(cells, exercise, answers, strayed))
    )


def _strayed(
    cells: Sequence[Cell], exercise: Exercise, answers: Mapping[str, str]
) -> dict[str, str]:
    """Answers whose cells have lost their ids, as after cut and paste, by what they define."""
    known = {cell["id"] for cell in exercise.notebook["cells"]}
    others = [c["source"] for c in cells if c["id"] not in known and c["cell_type"] == "code"]
    found: dict[str, str] = {}
    for name, stub in exercise.answers.items():
        names = bound_names(stub)
        if name not in answers and names:
            fitting = [source for source in others if names <= bound_names(source)]
            if fitting:
                found[name] = fitting[0]
    return found


def _flags(
    cells: Sequence[Cell],
    exercise: Exercise,
    answers: Mapping[str, str],
    strayed: Mapping[str, str],
) -> Iterator[str]:
    given = {cell["id"]: cell for cell in exercise_notebook(exercise)["cells"]}
    found = {cell["id"]: cell for cell in reversed(cells)}
    for name, times in Counter(cell["id"] for cell in cells if cell["id"] in given).items():
        if times > 1:
            yield f"the cell {name!r} stands there {times} times: the first was used"
    for name in exercise.answers:
        if name not in answers:
            yield f"the answer cell {name!r} is missing"
        elif name in strayed:
            yield f"the answer cell {name!r} has lost its id: one that defines the same was used"
    for name, cell in given.items():
        if name.startswith(("check-", "probe-")) and cell["cell_type"] == "code":
            yield from _flags_of_check(name, cell, found.get(name))
    code = sum(1 for cell in cells if cell["id"] not in given and cell["cell_type"] == "code")
    further = code - len(strayed)
    if further > 0:
        yield f"{further} further code cell(s) were ignored: only answer cells are graded"


def _flags_of_check(name: str, given: Cell, found: Cell | None) -> Iterator[str]:
    if found is None:
        yield f"the cell {name!r} is missing: the original was used"
        return
    if found["source"].strip() != cell_text(given).strip() or found["cell_type"] != "code":
        yield f"the cell {name!r} was edited: the original was used"
    if found["tags"] != given["metadata"].get("tags", []):
        yield f"the tags of the cell {name!r} were edited: they were ignored"


def restored(exercise: Exercise, submission: Submission) -> list[Step]:
    """The cells to execute: the pristine notebook with the submission's answers. Pure.

    Visible checks run at their places and hidden ones after everything else, so that no output of a
    visible check can tell of a hidden one. Probes run again right before every check.
    """
    code = [cell for cell in exercise.notebook["cells"] if cell["cell_type"] == "code"]
    specs = {spec.id: spec for spec in exercise.checks}
    probes = [cell_text(cell) for cell in code if cell["id"].startswith("probe-")]
    visible: list[Step] = []
    hidden: list[Step] = []
    for cell in code:
        name = cell["id"]
        if name in specs:
            source = "\n\n".join([*probes, specs[name].source])
            step = Step(id=name, kind="check", source=source, spec=specs[name])
            (hidden if specs[name].hidden else visible).append(step)
        elif name in exercise.answers:
            source = submission.answers.get(name, exercise.answers[name])
            visible.append(Step(id=name, kind="answer", source=source))
        elif not name.startswith(("probe-", "feedback-")):
            visible.append(Step(id=name, kind="setup", source=cell_text(cell)))
    return [*visible, *hidden]
