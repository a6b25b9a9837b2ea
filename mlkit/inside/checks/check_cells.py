"""What of a notebook is an answer: told by ids, by what cells hold, and by what they define. Pure.

The grader and `mlkit.check` read notebooks by this one file, so that what a learner is told and the
grade rest on the same cells. Programs for notebooks drop ids, make new ones, and leave two cells
with one; people split answer cells, write below the stub, and put helpers into cells of their own.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlkit.inside.checks.check_history import bound_names, stub_digest

__all__ = [
    "Answer",
    "Sorted",
    "all_names_bound",
    "answer_in",
    "free_names",
    "plain_tree",
    "sort_cells",
    "words_in",
]

Cell = Mapping[str, Any]
ROLES = ("answer-", "probe-", "check-", "feedback-")
ASSIGNED = re.compile(r"(\s*[\w., ]+=\s*)[%!][^=].*")
HELP = re.compile(r"[\w.]+\?{1,2}")


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """The code cells of a notebook: those that the exercise has, and the learner's own.

    Parameters
    ----------
    given : Mapping
        Id of a cell of the exercise → its source here.
    by_content : frozenset of str
        Those that were told by their metadata or by what they hold, not by their ids.
    edited : tuple of str
        The sources of cells for set-up that were changed: people add their imports there.
    set_up_names : frozenset of str
        What the exercise's own cells define.
    own : tuple of str
        The sources of all other code cells, in order.
    """

    given: Mapping[str, str]
    by_content: frozenset[str] = frozenset()
    edited: tuple[str, ...] = ()
    set_up_names: frozenset[str] = frozenset()
    own: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer: the cell that counts, and what of the learner's own cells belongs to it.

    Parameters
    ----------
    source : str or None
        The answer itself; None if there is none.
    place : str
        `cell`: it stands in the answer cell; `own`: in another one.
    before, after : tuple of str
        Further cells that it needs, and cells that define it again.
    """

    source: str | None
    place: str = "cell"
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = field(default=())


def sort_cells(cells: Sequence[Cell], exercise: Mapping[str, str]) -> Sorted:
    """Tell the exercise's cells from the learner's own.

    Parameters
    ----------
    cells : sequence of Mapping
        The notebook's cells: `id`, `cell_type`, `source` (a string), and `mark`, the id that the
        exercise's own metadata give.
    exercise : Mapping
        Id → source, for the code cells of the exercise as it was given.
    """
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    known: dict[int, str] = {}
    for key in ("id", "mark"):
        for number, cell in enumerate(code):
            name = str(cell.get(key, ""))
            if number not in known and name in exercise and name not in known.values():
                known[number] = name
    by_id = set(known.values())
    left = {stub_digest(text): name for name, text in exercise.items() if name not in by_id}
    for number, cell in enumerate(code):
        if number not in known:
            name = left.pop(stub_digest(cell["source"]), "")
            if name:
                known[number] = name
    set_up = {name: text for name, text in exercise.items() if not name.startswith(ROLES)}
    return Sorted(
        given={name: code[number]["source"] for number, name in known.items()},
        edited=tuple(
            code[number]["source"]
            for number, name in sorted(known.items())
            if name in set_up and stub_digest(code[number]["source"]) != stub_digest(set_up[name])
        ),
        set_up_names=frozenset().union(*map(all_names_bound, set_up.values())),
        by_content=frozenset(
            name for number, name in known.items() if code[number].get("id") != name
        ),
        own=tuple(cell["source"] for number, cell in enumerate(code) if number not in known),
    )


def answer_in(
    found: Sorted, name: str, *, names: Iterable[str], is_stub: bool, taken: Iterable[str] = ()
) -> Answer:
    """One answer out of a notebook.

    The answer cell counts if anything was written into it, and cells of the learner's own that
    define the same again come after it, as in the notebook. Otherwise the last cell that defines
    the same counts, after earlier ones. The learner's own cells that define a name which the answer
    needs come before it; of cells that were given, and edited, only what they newly define counts.

    Parameters
    ----------
    found : Sorted
        The notebook's cells.
    name : str
        The answer cell's id.
    names : iterable of str
        What the answer has to define.
    is_stub : bool
        Whether the answer cell, if it is there, holds nothing but what was given.
    taken : iterable of str
        Own cells that another answer has taken already.
    """
    wanted = set(names)
    rivals = [source for source in found.own if wanted & all_names_bound(source)]
    source, place, after = found.given.get(name), "cell", tuple(rivals)
    if (source is None or is_stub) and rivals:
        source, place, after = rivals[-1], "own", ()
    if source is None:
        return Answer(source=None)
    drafts = set(rivals) - {source, *after}
    before = drafts | _helpers(found, [source, *drafts, *after], set(taken))
    return Answer(
        source=source,
        place=place,
        before=tuple(
            text for text in (*found.edited, *found.own) if text in before and text not in after
        ),
        after=after,
    )


def _helpers(found: Sorted, texts: Sequence[str], taken: set[str]) -> set[str]:
    """The own cells that some texts need, and those that these need in turn."""
    defined = {text: all_names_bound(text) for text in found.own}
    defined |= {text: all_names_bound(text) - found.set_up_names for text in found.edited}
    helpers: set[str] = set()
    used = set(texts)
    needed = set().union(*map(free_names, texts))
    while True:
        more = {
            text
            for text, names in defined.items()
            if text not in used | helpers | taken and needed & names
        }
        if not more:
            return helpers
        helpers |= more
        needed |= set().union(*map(free_names, more))


def _plain(source: str) -> str:
    """A cell with Python in the place of IPython's own lines, if it is no Python with them."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return "\n".join(map(_plain_line, source.splitlines()))
    return source


def _plain_line(line: str) -> str:
    assigned = ASSIGNED.fullmatch(line)
    if assigned:
        return f"{assigned[1]}None"
    told = line.strip()
    if told.startswith("%%"):
        return ""
    if told.startswith(("%", "!", "?")) or HELP.fullmatch(told):
        return f"{line[: len(line) - len(line.lstrip())]}pass"
    return line


def all_names_bound(source: str) -> set[str]:
    """Every name that a cell binds at its top level: by definition, assignment, import, a loop."""
    text = _plain(source)
    try:
        table = symtable.symtable(text, "cell", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return bound_names(text)
    return {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }


def free_names(source: str) -> set[str]:
    """The names that a cell takes from other cells, now or when its functions are called."""
    text = _plain(source)
    try:
        table = symtable.symtable(text, "cell", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return _loaded(text) - set(dir(builtins))
    used: set[str] = set()
    tables = [table]
    while tables:
        here = tables.pop()
        tables += here.get_children()
        used |= {
            symbol.get_name()
            for symbol in here.get_symbols()
            if symbol.is_referenced() and (symbol.is_global() or here.get_type() == "module")
        }
    bound = all_names_bound(source)
    return used - bound - set(dir(builtins))


def plain_tree(source: str) -> ast.Module | None:
    """A cell as Python reads it, without IPython's own lines; None if it is no Python."""
    try:
        return ast.parse(_plain(source))
    except (SyntaxError, ValueError, RecursionError):
        return None


def words_in(source: str) -> set[str]:
    """The names that a cell takes from others or from `__main__`; `module.name` of what it uses."""
    tree = plain_tree(source)
    if tree is None:
        return set()
    found = free_names(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {f"{node.value.id}.{node.attr}"} | ({node.attr} if _is_main(node) else set())
        elif isinstance(node, ast.ImportFrom):
            inside = "" if node.module == "__main__" else f"{node.module}."
            found |= {f"{inside}{alias.name}" for alias in node.names}
    return found


def _is_main(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "__main__"


def _loaded(text: str) -> set[str]:
    """Names that a text reads, where the compiler's tables are not to be had (`await` outside)."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
