"""What each statement of a notebook is there for, before any part is a stage.

Imports, settings, plain values at the top, and definitions do not belong to one part: they go to
the stages that use them. The rest is the notebook's work, and stays where it stands.
"""

from __future__ import annotations

import ast
import math
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from mlkit.converting.names import Names, names_of
from mlkit.converting.parts import Cell, Part, Statement
from mlkit.frozen import dataclass

__all__ = ["Placed", "Roles", "imports_of", "is_future", "placed_in", "roles_of"]

_SETTING = frozenset(
    {
        *("set", "set_theme", "set_style", "set_context", "set_palette", "set_option", "use", "rc"),
        *("filterwarnings", "simplefilter", "basicConfig", "set_printoptions", "load_dotenv"),
        *("set_matplotlib_formats", "register_matplotlib_converters", "set_config"),
        *("setlocale", "set_verbosity", "set_eng_float_format", "disable_max_rows", "setdefault"),
        *(
            "enable",
            "options",
            "seterr",
            "setLevel",
            "insert",
            "append",
            "update",
            "setrecursionlimit",
        ),
    }
)
"""Methods by which notebooks set up modules; a call is a setting only on an imported module."""

_SETTING_MAGICS = (
    *("%matplotlib", "%load_ext", "%reload_ext", "%config", "%pylab", "%autoreload"),
    *("%env ", "%set_env", "%precision", "%xmode", "%alias "),
)
_COMMENT = re.compile(r"\s*#(?!@title|\s*%%|\s*mlkit:|!)")
_PARAMETER = re.compile(r"#\s*@param\b")
"""How Colab marks a value that people choose."""

_LARGEST_LITERAL = 2_000


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A statement, where it stands, and its names."""

    cell: Cell
    statement: Statement
    names: Names
    shares_a_line: bool

    @cached_property
    def text(self) -> str:
        """Its lines as they stand in the cell; with those of the comment on it, if it has one."""
        lines = self.cell.source.split("\n")
        return "\n".join(lines[self.first - 1 : self.statement.last])

    @property
    def last_line(self) -> str:
        """Its last line, with the comment behind it."""
        return self.cell.source.split("\n")[self.statement.last - 1]

    @cached_property
    def first(self) -> int:
        """Its first line, or that of the comment right above a value or a definition.

        What stands above imports is mostly said of the notebook, and stays.
        """
        first = self.statement.first
        lines = self.cell.source.split("\n")
        if isinstance(self.statement.node, ast.Import | ast.ImportFrom | ast.Expr | ast.Pass):
            return first
        while first > 1 and _COMMENT.match(lines[first - 2]):
            first -= 1
        return first


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The statements of a notebook by what they are there for.

    Parameters
    ----------
    imports : mapping of str to list of Placed
        By the name that they bind, in order.
    settings : sequence of Placed
        What sets up modules, in order.
    literals : mapping of str to Placed
        Plain values at the top, bound once and never changed.
    definitions : mapping of str to Placed
        Functions, classes and types that are bound once.
    work : mapping of int to sequence of Placed
        The rest, by the cell in which it stands.
    """

    imports: Mapping[str, list[Placed]]
    settings: Sequence[Placed]
    literals: Mapping[str, Placed]
    definitions: Mapping[str, Placed]
    work: Mapping[int, Sequence[Placed]]

    def value_of(self, literal: str) -> Any:
        """The value of a literal."""
        node = self.literals[literal].statement.node
        assert isinstance(node, ast.Assign | ast.AnnAssign)
        assert node.value is not None
        return ast.literal_eval(node.value)

    def comment_on(self, literal: str) -> list[str]:
        """The lines of the comment above a literal."""
        placed = self.literals[literal]
        return placed.text.split("\n")[: placed.statement.first - placed.first]

    def definition_of(self, statement: Statement) -> str:
        """The name that a statement defines, if that is all that it is there for."""
        name = _defined(statement.node)
        placed = self.definitions.get(name)
        return name if placed is not None and placed.statement is statement else ""

    def moved(self, cell: Cell) -> set[Statement]:
        """The statements of a cell that are no work: they are written elsewhere."""
        kept = {id(placed.statement) for placed in self.work.get(cell.index, ())}
        return {s for s in cell.statements if id(s) not in kept}

    def first_line(self, statement: Statement) -> int:
        """Where the text of a statement begins that is written elsewhere."""
        for placed in (*self.literals.values(), *self.definitions.values()):
            if placed.statement is statement:
                return placed.first
        return statement.first


def roles_of(parts: Sequence[Part], changing: Collection[str] = ()) -> Roles:
    """Tell what each statement is there for.

    Parameters
    ----------
    parts : sequence of Part
        The notebook.
    changing : collection of str
        Names that look like plain values and were seen to hold others, or never to be bound.
    """
    everything = list(placed_in(parts))
    bound = Counter(name for placed in everything for name in placed.names.binds)
    absent = set(changing)
    changed = {name for placed in everything for name in placed.names.changes} | set(changing)
    imported = {
        name for p in everything if _is_import(p) and not p.shares_a_line for name in p.names.binds
    }
    begun: set[int] = set()  # parts that have begun to work, by their last cell
    end_of = {cell.index: part.end for part in parts for cell in part.cells}
    imports: dict[str, list[Placed]] = {}
    settings: list[Placed] = []
    literals: dict[str, Placed] = {}
    definitions: dict[str, Placed] = {}
    work: dict[int, list[Placed]] = {}
    at_the_top = True
    for placed in everything:
        names, node = placed.names, placed.statement.node
        single = next(iter(names.binds)) if len(names.binds) == 1 else ""
        if placed.shares_a_line:
            at_the_top = False
        elif _is_import(placed) and not names.binds & absent:
            for name in names.binds:
                imports.setdefault(name, []).append(placed)
            continue
        elif _defined(node):
            if bound[_defined(node)] == 1 and _defined(node) not in absent:
                definitions[_defined(node)] = placed
                continue
        elif _is_setting(placed, imported):
            settings.append(placed)
            if end_of[placed.cell.index] not in begun:
                continue
        elif (
            (at_the_top or placed.cell.is_tagged or _PARAMETER.search(placed.last_line))
            and _is_literal(node)
            and bound[single] == 1
            and single not in changed
        ):
            literals[single] = placed
            continue
        elif not _leaves_the_top(node):
            at_the_top = False
        if not _is_docstring(node):
            begun.add(end_of[placed.cell.index])
        work.setdefault(placed.cell.index, []).append(placed)
    return Roles(
        imports=imports, settings=settings, literals=literals, definitions=definitions, work=work
    )


def placed_in(parts: Sequence[Part]) -> Iterator[Placed]:
    """Yield each statement of parts, with its place, in order."""
    for part in parts:
        for cell in part.code:
            lines = Counter(line for s in cell.statements for line in range(s.first, s.last + 1))
            magic_first = cell.source.lstrip().startswith("%%")
            for statement in cell.statements:
                shares = any(lines[n] > 1 for n in range(statement.first, statement.last + 1))
                yield Placed(
                    cell=cell,
                    statement=statement,
                    names=names_of(statement.node),
                    shares_a_line=shares or magic_first,
                )


def is_future(placed: Placed) -> bool:
    """Whether it changes how Python reads all that follows."""
    node = placed.statement.node
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def imports_of(placed: Placed) -> list[str]:
    """What a statement imports, each name in a statement of its own."""
    node = placed.statement.node
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return []
    single: list[ast.Import | ast.ImportFrom] = [
        ast.Import(names=[alias])
        if isinstance(node, ast.Import)
        else ast.ImportFrom(module=node.module, names=[alias], level=node.level)
        for alias in node.names
    ]
    return [ast.unparse(one) for one in single]


def _is_import(placed: Placed) -> bool:
    return isinstance(placed.statement.node, ast.Import | ast.ImportFrom)


_DEFINING = frozenset({"namedtuple", "NamedTuple", "Enum", "IntEnum", "make_dataclass", "NewType"})


def _defined(node: ast.stmt) -> str:
    """The function, class or type that a statement defines, also one that is written as a call."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return node.name
    if sys.version_info >= (3, 12) and isinstance(node, ast.TypeAlias):
        return node.name.id
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target, value = node.targets[0], node.value
        called = value.func if isinstance(value, ast.Call) else None
        name = getattr(called, "attr", getattr(called, "id", ""))
        if isinstance(target, ast.Name) and (isinstance(value, ast.Lambda) or name in _DEFINING):
            return target.id
    return ""


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _leaves_the_top(node: ast.stmt) -> bool:
    """Whether plain values behind it still stand at the top: magics (`!pip`), tried imports."""
    if isinstance(node, ast.Try):
        inside = [*node.body, *node.orelse, *(s for h in node.handlers for s in h.body)]
        return all(map(_leaves_the_top, inside)) and not node.finalbody
    plain = isinstance(node, ast.Import | ast.ImportFrom | ast.Pass)
    return plain or _is_docstring(node) or _is_literal(node)


def _is_literal(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    if len(targets) != 1 or not isinstance(targets[0], ast.Name) or targets[0].id.startswith("_"):
        return False
    value = node.value  # type: ignore[attr-defined]  # both kinds have one
    try:
        plain = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return _is_plain(plain) and len(repr(plain)) <= _LARGEST_LITERAL


def _is_plain(value: Any) -> bool:
    """Whether pipeline.yaml can say it: it fills in `${`, and JSON has no infinite number."""
    if isinstance(value, str):
        return "${" not in value
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    return value is None or isinstance(value, bool | int)


def _is_setting(placed: Placed, imported: set[str]) -> bool:
    """A magic that sets up the shell, or a call or assignment on an imported module."""
    node = placed.statement.node
    if isinstance(node, ast.Pass):
        text = placed.text.strip()
        return text.startswith(_SETTING_MAGICS)
    if not placed.names.needs or placed.names.binds or not placed.names.needs <= imported:
        return False
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        return isinstance(function, ast.Attribute) and function.attr in _SETTING
    return isinstance(node, ast.Assign) and all(
        isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets
    )
