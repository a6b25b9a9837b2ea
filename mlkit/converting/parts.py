"""A notebook cut into parts, and each of its code cells taken apart into statements.

A part becomes a stage. Cuts stand at headings, or at marks (a comment `# mlkit: stage NAME`).
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import field, replace
from functools import cached_property
from keyword import iskeyword
from typing import Any

from mlkit.frozen import dataclass

__all__ = ["Cell", "Part", "Statement", "cut", "name_parts", "slug"]

MARK = re.compile(r"^\s*#\s*mlkit:\s*stage\s+(?P<name>[A-Za-z_][\w-]*)\s*$", re.MULTILINE)
_HEADING = re.compile(r"^(?P<marks>#{1,6})\s+(?P<title>\S.*?)\s*#*\s*$")
_TAG = re.compile(r"^\s*<h(?P<level>[1-6])\b[^>]*>(?P<title>.*?)</h[1-6]>", re.IGNORECASE)
_UNDERLINE = re.compile(r"^(={3,}|-{3,})\s*$")
_FENCE = re.compile(r"^\s*(```|~~~)")
_MAGIC = re.compile(
    r"^(?P<indent>\s*)(?P<target>[A-Za-z_][\w, ]*=\s*)?"
    r"(?P<what>[%!].*|[\w.]+\?{1,2}\s*|\?{1,2}[\w.*]+\s*)$"
)
_TIMED = re.compile(r"%(time|timeit|prun|memit|lprun)\s+(-\w+\s*\S*\s+)*?(?=[^\s-])")
_SHELL = re.compile(r"^\s*([A-Za-z_][\w, ]*=\s*)?!")
_DOLLAR = re.compile(r"(?<!\$)\$([A-Za-z_]\w*)")
_CELL_MAGIC = re.compile(r"^\s*%%(?P<name>\w+)")
_TRANSPARENT = frozenset({"time", "timeit", "capture", "prun", "memit", "scalene", "snakeviz"})
"""Cell magics under which ordinary code stands."""

_NUMBER = re.compile(r"^((part|step|section)\s+)?([\divx]+\s*[.):-]+|\d{1,2}\s)\s*")
_LONGEST_NAME = 40


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement at the top level of a cell.

    Parameters
    ----------
    node : ast.stmt
        As it was parsed; magics in it are masked.
    first, last : int
        Its lines within the cell, from 1.
    """

    node: ast.stmt
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell.

    Parameters
    ----------
    index : int
        Its place, from 0; of several notebooks each goes on counting where the one before ends.
    kind : str
        `code`, `markdown` or `raw`.
    source : str
        Its text.
    metadata : dict
        As the notebook has it.
    begins : int
        The place of its notebook's first cell.
    notebook : str
        Its notebook's file, if there are several.
    """

    index: int
    kind: str
    source: str
    metadata: dict[str, Any] = field(default_factory=dict)
    begins: int = 0
    notebook: str = ""

    @property
    def number(self) -> int:
        """Its place in its own notebook, from 1."""
        return self.index - self.begins + 1

    @property
    def called(self) -> str:
        """What people call it: `cell 3`, or `cell 3 of clean.ipynb`."""
        return f"cell {self.number}" + (f" of {self.notebook}" if self.notebook else "")

    @property
    def is_tagged(self) -> bool:
        """Whether it is the cell that Papermill's users keep their parameters in."""
        return "parameters" in self.metadata.get("tags", ())

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Its statements; none if it is no Python (a cell magic, a syntax error)."""
        if self.kind != "code":
            return ()
        try:
            tree = ast.parse(self.masked)
        except (SyntaxError, ValueError):
            return ()
        return tuple(
            Statement(node=node, first=_first_line(node), last=node.end_lineno or node.lineno)
            for node in tree.body
        )

    @cached_property
    def masked(self) -> str:
        """The source with magics replaced, line by line, by something that binds the same names."""
        lines = self.source.split("\n")
        magic = _CELL_MAGIC.match(self.source)
        if magic is not None:
            if self._is_foreign:
                return "\n".join([_expanded(lines[0]), *("" for _ in lines[1:])])
            captured = re.findall(r"^\s*%%capture\s+(?:-\S+\s+)*([A-Za-z_]\w*)", lines[0])
            lines[0] = f"{captured[0]} = None" if captured else ""
        return "\n".join(_mask(line) for line in lines)

    @property
    def _is_foreign(self) -> bool:
        """Whether a cell magic hands it to something else than Python."""
        magic = _CELL_MAGIC.match(self.source)
        return magic is not None and magic["name"] not in _TRANSPARENT

    @cached_property
    def perhaps_of_the_shell(self) -> frozenset[str]:
        """Names behind `$`: the notebook's own where it has them, else the shell's."""
        lines = [self.source.split("\n")[0]] if self._is_foreign else self.source.split("\n")
        return frozenset(name for line in lines for name in _DOLLAR.findall(line))

    @cached_property
    def scripts(self) -> tuple[str, ...]:
        """The files that it reads by `%run`."""
        found = re.findall(r"^\s*%run\s+(?:-\w+\s+)*([^\s$-]\S*)", self.source, re.MULTILINE)
        return tuple(dict.fromkeys(found))

    @cached_property
    def shell_words(self) -> frozenset[str]:
        """The words of the commands that it gives to a shell."""
        lines = self.source.split("\n")
        if not re.match(r"\s*%%(bash|sh|script|system|!)", self.source):
            lines = [line.partition("!")[2] for line in lines if _SHELL.match(line)]
        return frozenset(
            word for line in lines for word in re.split(r"[\s'\"<>|;&]+", line) if word
        )

    @property
    def is_opaque(self) -> bool:
        """Whether it holds code of which nothing is known; a comment is none."""
        if self.kind != "code" or (self.statements and not self._is_foreign):
            return False
        lines = map(str.strip, self.source.split("\n"))
        return any(line and not line.startswith("#") for line in lines)


def _mask(line: str) -> str:
    match = _MAGIC.match(line)
    if match is None:
        return line
    indent, target, what = match["indent"], match["target"] or "", match["what"]
    timed = _TIMED.match(what)
    code = "" if timed is None else what[timed.end() :]
    if timed is not None and _is_python(code):
        # the code stands where it stood, so that places in it are places in the line
        if not target:
            return f"{indent}{'if 1:'.ljust(timed.end())}{code}"
        if _is_python(f"({code})"):  # an expression, whose value is not the target's
            return f"{indent}{target}[{code}]"
    needed = _expanded(what) if what[0] in "!%" else ""
    if needed:
        return f"{indent}{target}{needed}"
    return f"{indent}{target}{'None' if target else 'pass'}"


def _expanded(magic: str) -> str:
    """An expression of the names whose values a magic's or a command's line is filled with."""
    named = [name for name in re.findall(r"\{([^{}]+)\}", magic) if _is_python(name)]
    names = ", ".join([*named, *_DOLLAR.findall(magic)])
    return f"[{names}]" if names else ""


def _is_python(text: str) -> bool:
    try:
        return bool(ast.parse(text).body)
    except (SyntaxError, ValueError):
        return False


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(item.lineno for item in decorators)])


@dataclass(frozen=True, kw_only=True)
class Part:
    """Cells that stand together, and the name that they have as a stage."""

    name: str
    title: str
    cells: tuple[Cell, ...]

    @property
    def code(self) -> tuple[Cell, ...]:
        """Its code cells that hold anything."""
        return tuple(cell for cell in self.cells if cell.kind == "code" and cell.source.strip())

    @property
    def end(self) -> int:
        """The place of its last cell in the notebook."""
        return self.cells[-1].index

    def joined(self, other: Part) -> Part:
        """One part of this and the one behind it."""
        return replace(self, cells=(*self.cells, *other.cells))


def cut(cells: Sequence[Cell]) -> tuple[Part, ...]:
    """Cut a notebook into parts.

    Marks win over headings; of headings the highest level counts that stands more than once. Cells
    before the first cut, and parts without code, belong to the part behind them.

    Returns
    -------
    tuple of Part
        At least one, if there is any code; names are unique.
    """
    marks = {c.index: m["name"] for c in cells if c.kind == "code" and (m := MARK.search(c.source))}
    titles = marks or _headings(cells)
    parts: list[Part] = []
    waiting: list[Cell] = []
    title, is_begun = "", False
    for cell in cells:
        if cell.index in titles:
            if is_begun and _has_code(waiting):
                parts.append(Part(name="", title=title, cells=tuple(waiting)))
                waiting = []
            title, is_begun = titles[cell.index], True
        waiting.append(cell)
    if _has_code(waiting) or not parts:
        parts.append(Part(name="", title=title, cells=tuple(waiting)))
    else:
        parts[-1] = replace(parts[-1], cells=(*parts[-1].cells, *waiting))
    return name_parts(parts)


def _has_code(cells: Sequence[Cell]) -> bool:
    return any(cell.kind == "code" and cell.source.strip() for cell in cells)


def _headings(cells: Sequence[Cell]) -> dict[int, str]:
    """The headings of the level at which the notebook is divided, by their cells' places."""
    found: list[tuple[int, int, str]] = []
    for cell in cells:
        if cell.kind == "markdown":
            found += [(cell.index, level, title) for level, title in _headings_of(cell.source)]
    for level in range(1, 7):
        here = {index: title for index, at, title in reversed(found) if at == level}
        if len(here) > 1:
            return here
    return {}


def _headings_of(source: str) -> list[tuple[int, str]]:
    found, fenced, before = [], False, ""
    for line in source.split("\n"):
        fenced ^= bool(_FENCE.match(line))
        match = None if fenced else _HEADING.match(line)
        tag = None if fenced else _TAG.match(line)
        if match is not None:
            found.append((len(match["marks"]), match["title"]))
        elif tag is not None and re.sub(r"<[^>]*>", "", tag["title"]).strip():
            found.append((int(tag["level"]), re.sub(r"<[^>]*>", "", tag["title"]).strip()))
        elif not fenced and before.strip() and _UNDERLINE.match(line):
            found.append((1 if line.startswith("=") else 2, before.strip()))
        before = line
    return found


def name_parts(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Name each part by its title; a name stands for one part only."""
    taken: set[str] = {"parameters"}
    named = []
    for number, part in enumerate(parts, start=1):
        name = base = slug(part.title) or f"part_{number}"
        further = 2
        while name in taken:
            name, further = f"{base}_{further}", further + 1
        taken.add(name)
        named.append(replace(part, name=name))
    return tuple(named)


def slug(title: str) -> str:
    """Make a name out of a heading: without its number, its marks and its accents."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"\]\([^)]*\)", " ", plain)
    words = re.findall(r"[a-z0-9]+", _NUMBER.sub("", plain))
    name = ""
    for word in words:
        if name and len(name) + len(word) >= _LONGEST_NAME:
            break
        name = f"{name}_{word}" if name else word[:_LONGEST_NAME]
    if name and (name[0].isdigit() or iskeyword(name)):
        name = f"part_{name}"
    return name
