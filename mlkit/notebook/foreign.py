"""Notebooks in other languages than Python: what they declare, and how values are handed to them.

The parameters cell holds one assignment of a literal a line; types are plain from the defaults. The
injected cell is written by Papermill's translators, and corrected where R reads it otherwise.
"""

from __future__ import annotations

import ast
import datetime as dt
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from mlkit.core.pipeline import Declaration, Kernel
from mlkit.core.types import infer
from mlkit.errors import NotebookError
from mlkit.notebook.cells import Cell
from mlkit.notebook.injection import Assignment, injection_source

__all__ = ["foreign_declarations", "source_to_inject"]

_BASH = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>.*)")
_R = re.compile(r"(?P<name>[A-Za-z.][\w.]*)\s*(?:<-|=)\s*(?P<value>.+)")
_INT = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.?\d+)([eE][+-]?\d+)?")
_WRITTEN = re.compile(r'"(?:\\.|[^"\\])*"|\b(?:inf|nan)\b')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|.)")
_R_NUMBERS: Mapping[str, str] = {"inf": "Inf", "nan": "NaN"}
_R_WORDS: Mapping[str, Any] = {"TRUE": True, "FALSE": False, "NULL": None}


def foreign_declarations(path: Path, cell: Cell, language: str) -> dict[str, Declaration]:
    """Read what the parameters cell of a notebook in another language declares.

    Parameters
    ----------
    path : Path
        The notebook, for errors.
    cell : Cell
        Its cell tagged `parameters`.
    language : str
        The language, as the kernel's specification names it.

    Raises
    ------
    NotebookError
        If a line is no assignment of a literal, or the language is none that mlkit reads.
    """
    if language.lower() not in _READERS:
        raise NotebookError(
            f"cell {cell.index + 1}: a parameters cell in {language} cannot be read; in Python, "
            "bash and R it can",
            path,
            remedy="Take the tag 'parameters' away: the stage then has no parameters, inputs or "
            "outputs",
            code="E302",
        )
    pattern, read = _READERS[language.lower()]
    found: dict[str, Declaration] = {}
    for number, line in _statements(cell.source):
        match = pattern.fullmatch(line)
        place = f"cell {cell.index + 1}, line {number}"
        if match is None or match["name"] in found:
            what = "is declared twice" if match else "is no assignment"
            raise NotebookError(
                f"{place}: '{line}' {what}",
                path,
                remedy="Write NAME and a literal on each line",
                code="E302",
            )
        try:
            default = read(match["value"].strip())
        except ValueError:
            raise NotebookError(
                f"{place}: parameter '{match['name']}' has no literal default: '{match['value']}'",
                path,
                remedy="Write the value itself; what is derived from a parameter belongs in a "
                "later cell, because this cell runs before the values are injected",
                code="E302",
            ) from None
        found[match["name"]] = Declaration(
            name=match["name"], spec=infer(default, ""), default=default, line=number
        )
    return found


def source_to_inject(assignments: tuple[Assignment, ...], title: str, kernel: Kernel | None) -> str:
    """Write the injected cell in the language of a kernel.

    Parameters
    ----------
    assignments : tuple of Assignment
        In the order in which they are written.
    title : str
        What the comment in its first line says.
    kernel : Kernel, optional
        The kernel that executes it; by default mlkit's own Python.
    """
    if kernel is None or kernel.language == "python":
        return injection_source(assignments, title, has_mlkit=kernel is None)
    # Papermill takes half a second to import, which only a stage that is executed pays.
    from papermill.translators import papermill_translators

    translator = papermill_translators.find_translator(kernel.name, kernel.language)
    values = {item.name: _plain(item.value) for item in assignments}
    text: str = translator.codify(values, comment=repr(title)[1:-1])
    lines = text.rstrip("\n").split("\n")
    if kernel.language.lower() == "r":
        lines[1:] = map(_as_r, lines[1:])
    return "\n".join(lines)


def _as_r(assignment: str) -> str:
    r"""What Papermill writes in Python's way: to R `\xe9` is a byte and no é, `inf` a name."""
    name, equals, value = assignment.partition(" = ")
    return name + equals + _WRITTEN.sub(lambda found: _r_literal(found[0]), value)


def _r_literal(text: str) -> str:
    if text in _R_NUMBERS:
        return _R_NUMBERS[text]
    return _ESCAPE.sub(lambda found: f"\\u00{found[1]}" if found[1] else found[0], text)


def _statements(source: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(source.splitlines(), start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, text


def _plain(value: Any) -> Any:
    """A value as Papermill's translators know it; dates and paths are texts there."""
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _number(text: str) -> int | float:
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    raise ValueError(text)


def _bash_value(text: str) -> Any:
    """A word of bash: a text where it is quoted, else a number or a bool if it looks like one."""
    outside = re.sub(r"'[^']*'", "", text)
    words = shlex.split(text, comments=True)
    if len(words) > 1 or set("$`(") & set(outside):
        raise ValueError(text)
    word = words[0] if words else ""
    if text[:1] in ("'", '"') or not word:
        return word
    if word in ("true", "false"):
        return word == "true"
    try:
        return _number(word)
    except ValueError:
        return word


def _r_value(text: str) -> Any:
    """A literal of R; `c(…)` and `list(…)` give lists, a number without `L` is a float."""
    text = _without_comment(text)
    if text in _R_WORDS:
        return _R_WORDS[text]
    if _INT.fullmatch(text.removesuffix("L")):
        return int(text[:-1]) if text.endswith("L") else float(text)
    if text[:1] in ("'", '"'):
        try:
            value = ast.literal_eval(text)
        except SyntaxError:
            raise ValueError(text) from None
        if isinstance(value, str):
            return value
        raise ValueError(text)
    if match := re.fullmatch(r"(?:c|list)\((.*)\)", text):
        return [_r_value(item.strip()) for item in _items(match[1])]
    return _number(text)


def _without_comment(text: str) -> str:
    """Cut what follows a `#` outside of quotes."""
    for match in re.finditer(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\#""", text):
        if match[0] == "#":
            return text[: match.start()].strip()
    return text.strip()


def _items(text: str) -> list[str]:
    """What stands between commas outside of quotes."""
    found = re.findall(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^,"'])+""", text)
    return [item for item in found if item.strip()]


_READERS: Mapping[str, tuple[re.Pattern[str], Callable[[str], Any]]] = {
    "bash": (_BASH, _bash_value),
    "r": (_R, _r_value),
}
