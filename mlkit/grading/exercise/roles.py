"""Give every cell of a solution the id that says what it is for."""

from __future__ import annotations

import copy
import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.core.slips import is_slip
from mlkit.errors import GradingError
from mlkit.inside.checks.check_history import bound_names
from mlkit.inside.checks.check_notebook import cell_text
from mlkit.inside.checks.check_roles import (
    AUTHOR,
    HIDDEN,
    KINDS,
    Role,
    cell_tags,
    role_of,
    without_role_comment,
)

__all__ = ["line_of_cell", "read_notebook_file", "role_ids", "with_roles"]

Cell = dict[str, Any]
Notebook = dict[str, Any]

_FEEDBACK = re.compile(r"mlkit\.check\(\s*[\"']check-(?P<name>[\w-]+)[\"'][^()]*\)", re.ASCII)
_CELL = re.compile(r'"cell_type"\s*:')
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


def read_notebook_file(path: Path) -> Notebook:
    """A trusted notebook as plain JSON; what is wrong with it is said in one sentence.

    Raises
    ------
    GradingError
        If the file is missing or is no notebook of format 4.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GradingError("there is no such notebook", path, code="E802") from None
    except json.JSONDecodeError as error:
        raise GradingError(
            f"the file is not JSON ({error.msg})", path, error.lineno, code="E802"
        ) from error
    except (OSError, ValueError) as error:
        raise GradingError(f"the file cannot be read ({error})", path, code="E802") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(_is_cell(cell) for cell in cells):
        raise GradingError(
            "the file is not a notebook of format 4",
            path,
            remedy="Open it in JupyterLab and save it again.",
            code="E802",
        )
    return dict(notebook)


def _is_cell(cell: Any) -> bool:
    """Whether something has the parts that every program for notebooks writes."""
    return (
        isinstance(cell, dict)
        and isinstance(cell.get("cell_type"), str)
        and isinstance(cell.get("source", ""), str | list)
        and isinstance(cell.get("metadata", {}), dict)
    )


def line_of_cell(path: Path, number: int) -> int | None:
    """The line of a notebook's file where its cell of that number, from 0, begins."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    starts = [found.start() for found in _CELL.finditer(text)]
    return text.count("\n", 0, starts[number]) + 1 if number < len(starts) else None


def with_roles(notebook: Mapping[str, Any], path: Path) -> Notebook:
    """A solution whose cells are told by their ids alone, without its author's notes.

    Comments and tags that give a role are gone: learners are not to see them, and programs that
    keep neither ids nor tags are met by what the exercise's own metadata remember.

    Raises
    ------
    GradingError
        If a cell's role is contradictory or half said; the message has the cell's line.
    """
    made = copy.deepcopy(dict(notebook))
    cells: list[Cell] = []
    for cell, name in zip(made["cells"], role_ids(notebook, path), strict=True):
        role = role_of(cell)
        if role.author:
            continue
        cell["id"] = name
        cell.setdefault("metadata", {})
        if cell["cell_type"] == "code":
            _take_role_out(cell, role)
        cells.append(cell)
    made["cells"] = cells
    made["nbformat"], made["nbformat_minor"] = 4, max(5, made.get("nbformat_minor", 5))
    return made


def _take_role_out(cell: Cell, role: Role) -> None:
    text = cell_text(cell)
    if without_role_comment(text) != text:
        cell["source"] = without_role_comment(text).splitlines(keepends=True)
    tags = [tag for tag in cell_tags(cell) if tag not in (*role.names, *role.bare)]
    if role.hidden and HIDDEN not in tags:
        tags.append(HIDDEN)
    if tags != cell_tags(cell):
        cell["metadata"] = {**cell["metadata"], "tags": tags}
    if not tags:
        cell["metadata"].pop("tags", None)
    cell.setdefault("outputs", [])
    cell.setdefault("execution_count", None)


def role_ids(notebook: Mapping[str, Any], path: Path) -> list[str]:
    """The id of each cell, in order: its role, else the id that it has, else its place.

    Raises
    ------
    GradingError
        As for `with_roles`.
    """
    ids: list[str] = []
    for number, cell in enumerate(notebook["cells"]):
        fault = next(_faults(cell), None)
        if fault is not None:
            message, remedy = fault
            raise GradingError(message, path, line_of_cell(path, number), remedy)
        ids.append(_id(cell) or f"cell-{number + 1}")
    return ids


def _faults(cell: Cell) -> Iterator[tuple[str, str]]:
    """What is contradictory or half said of one cell's role, each with its remedy."""
    role = role_of(cell)
    told = [*role.names, *role.bare]
    if role.author:
        return
    yield from _slips_in_tags(cell, told)
    if not told:
        return
    if cell["cell_type"] != "code":
        yield (
            f"a cell of text has the tag {told[0]!r}, which only code cells can have",
            "Take the tag off, or turn the cell into code.",
        )
    if len(role.names) > 1 or (role.names and role.bare):
        yield (
            f"one cell is called {' and '.join(map(repr, told))}",
            "A cell has one role, in its first line or among its tags.",
        )
    elif role.bare and role.bare[0] not in ("answer", "feedback"):
        yield (
            f"a cell has the tag {role.bare[0]!r}, which is no whole role",
            f"Give it a name: {role.bare[0]}-NAME, such as {role.bare[0]}-mean.",
        )
    elif role.bare == ("answer",) and len(bound_names(cell_text(cell))) != 1:
        yield (
            "a cell has the tag 'answer', and does not define exactly one name to be called by",
            "Give it a name: answer-NAME.",
        )


def _slips_in_tags(cell: Cell, told: Collection[str]) -> Iterator[tuple[str, str]]:
    """Tags that are nearly a role: learners would be given the cell as one without any."""
    for tag in cell_tags(cell):
        meant = "" if tag in (*told, AUTHOR, HIDDEN) else _meant(tag)
        if meant:
            yield (
                f"a cell has the tag {tag!r}, which is no role",
                f"Did you mean {meant!r}? A tag of your own has another name.",
            )


def _meant(tag: str) -> str:
    """The role that a tag was to give; empty for one that is about something else."""
    plain = unicodedata.normalize("NFKD", tag.casefold()).encode("ascii", "ignore").decode()
    word, *others = re.split(r"[\W_]+", plain.strip())
    name = "-".join(filter(None, others))
    for known in (HIDDEN, AUTHOR):
        if is_slip(word, known):
            return known
    for kind in KINDS:
        if is_slip(word, kind):
            return f"{kind}-{name or 'NAME'}"
    return ""


def _id(cell: Cell) -> str:
    role = role_of(cell)
    if role.names:
        return role.names[0]
    if "answer" in role.bare:
        (name,) = bound_names(cell_text(cell))
        return f"answer-{name.replace('_', '-')}"
    held = str(cell.get("id") or "")
    if cell["cell_type"] == "code" and not held.startswith(tuple(f"{kind}-" for kind in KINDS)):
        called = _FEEDBACK.fullmatch(cell_text(cell).strip())
        if called:
            return f"feedback-{called['name']}"
    return held if _ID.fullmatch(held) else ""
