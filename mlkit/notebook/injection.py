"""Write the cell that hands an attempt its values."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from mlkit.core.pipeline import Declaration
from mlkit.core.types import ANY, TypeSpec
from mlkit.frozen import dataclass
from mlkit.inside.injected import INJECTED_PREFIX

__all__ = [
    "INJECTED_TAG",
    "PARAMETERS_TAG",
    "Assignment",
    "has_tag",
    "injected_cell",
    "injection_source",
    "is_injected",
    "place_to_inject",
    "python_literal",
    "source_place",
]

PARAMETERS_TAG = "parameters"
INJECTED_TAG = "injected-parameters"
_INJECTED = '__import__("mlkit.inside.injected", fromlist=["injected"]).injected({name!r})'
_GIVEN = f'__import__("json").loads(__import__("os").environ["{INJECTED_PREFIX}{{name}}"])'


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One name and the value it receives.

    Parameters
    ----------
    name : str
        The variable.
    value : object
        Its value.
    hidden : bool
        Whether the value reaches the kernel through its environment, not through the cell.
    declaration : Declaration, optional
        How the notebook declares it: a date is written with the notebook's own name for the class.
    """

    name: str
    value: Any
    hidden: bool = False
    declaration: Declaration | None = None

    @property
    def environment_text(self) -> str:
        """The value as the kernel's environment carries it."""
        value = self.value.isoformat() if isinstance(self.value, dt.date) else self.value
        return json.dumps(value, default=str)


def place_to_inject(cells: Sequence[Mapping[str, Any]]) -> int:
    """Where among a notebook's cells the injected one stands: behind the parameters cell."""
    for index, cell in enumerate(cells):
        if has_tag(cell, PARAMETERS_TAG):
            return index + 1
    return 0


def injected_cell(source: str, name: str | None, **metadata: Any) -> dict[str, Any]:
    """Make an injected cell.

    Parameters
    ----------
    source : str
        What it says.
    name : str, optional
        Its id; None in a format whose cells have none.
    **metadata : object
        What its metadata say beside the tag.
    """
    return {
        "cell_type": "code",
        **({} if name is None else {"id": name}),
        "metadata": {"tags": [INJECTED_TAG], **metadata},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def is_injected(cell: Mapping[str, Any]) -> bool:
    """Whether a cell was injected by mlkit or Papermill."""
    return has_tag(cell, INJECTED_TAG)


def has_tag(cell: Mapping[str, Any], tag: str) -> bool:
    """Whether a cell has a tag; what is no list of tags holds none."""
    tags = cell.get("metadata", {}).get("tags")
    return isinstance(tags, list | tuple) and tag in tags


def source_place(
    source: Sequence[Mapping[str, Any]], executed: Sequence[Mapping[str, Any]], index: int
) -> int | None:
    """Find the cell of the source notebook that a cell of the executed one was made from.

    Parameters
    ----------
    source, executed : sequence of mapping
        The cells of both notebooks.
    index : int
        The place in the executed one, from 0.

    Returns
    -------
    int or None
        The place in the source, from 0; None for a cell that was injected.
    """
    if is_injected(executed[index]):
        return None
    own = [place for place, cell in enumerate(source) if not is_injected(cell)]
    return own[sum(not is_injected(cell) for cell in executed[:index])]


def injection_source(
    assignments: tuple[Assignment, ...], title: str, *, has_mlkit: bool = True
) -> str:
    """Write the injected cell in Python.

    Parameters
    ----------
    assignments : tuple of Assignment
        In the order in which they are written.
    title : str
        What the comment in its first line says; a line break in it stays in the comment.
    has_mlkit : bool
        Whether the kernel's Python has mlkit, which hides a secret's text from `repr`.
    """
    given = _INJECTED if has_mlkit else _GIVEN
    lines = [f"# {repr(title)[1:-1]}"]
    for item in assignments:
        spec = ANY if item.declaration is None else item.declaration.spec
        value = _hidden(item, spec, given) if item.hidden else python_literal(item.value, spec)
        lines.append(f"{item.name} = {value}")
    return "\n".join(lines)


def _hidden(item: Assignment, spec: TypeSpec, given: str) -> str:
    call = given.format(name=item.name)
    if isinstance(item.value, dt.date):
        kind = "datetime" if isinstance(item.value, dt.datetime) else "date"
        return f"{_spelling(spec, kind)}.fromisoformat({call})"
    if isinstance(item.value, PurePath):
        return f"{_spelling(spec, 'Path')}({call})"
    return call


def python_literal(value: Any, spec: TypeSpec = ANY) -> str:
    """Write a value as Python that makes the same value again.

    Parameters
    ----------
    value : object
        None, bool, int, float, str, list, dict, date, datetime or path.
    spec : TypeSpec
        The declared type, for the notebook's own name of a class.

    Raises
    ------
    TypeError
        If it is no value that a parameter can have.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value!r}")'
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, str):
        return repr(str(value))
    if isinstance(value, list | tuple):
        return f"[{', '.join(python_literal(item, _member(spec, -1)) for item in value)}]"
    if isinstance(value, Mapping):
        items = (
            f"{python_literal(key, _member(spec, 0))}: {python_literal(item, _member(spec, -1))}"
            for key, item in value.items()
        )
        return "{" + ", ".join(items) + "}"
    if isinstance(value, dt.datetime):
        return f"{_spelling(spec, 'datetime')}.fromisoformat({value.isoformat()!r})"
    if isinstance(value, dt.date):
        return f"{_spelling(spec, 'date')}.fromisoformat({value.isoformat()!r})"
    if isinstance(value, PurePath):
        return f"{_spelling(spec, 'Path')}({str(value)!r})"
    raise TypeError(f"{value!r} cannot be a parameter")


def _member(spec: TypeSpec, index: int) -> TypeSpec:
    holder = spec.find("list") or spec.find("dict") or spec
    return holder.members[index] if holder.members and holder.kind != "union" else ANY


def _spelling(spec: TypeSpec, kind: str) -> str:
    known = spec.find(kind)
    if known is not None and known.source:
        return known.source
    module = "pathlib" if kind == "Path" else "datetime"
    return f'__import__("{module}").{kind}'
