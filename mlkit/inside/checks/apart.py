"""Run a check where names mean what its author meant, whatever an answer has called its own.

Answers and checks share one notebook. After `list = […]`, `from numpy import *` or `from time
import time` in an answer, a check's own `list`, `all` or `time.sleep` would be another thing, and
its facts would tell of mistakes that nobody made. So a check runs among the notebook's names
without those, and the learner is told of them where something else is wrong.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlkit.inside.checks.check_cells import all_names_bound, plain_tree
from mlkit.inside.checks.check_history import bound_names

__all__ = ["OF_CHECKS", "Shadows", "imports_in", "run_apart", "shadows_in", "shadows_of"]

OF_CHECKS = ("check-", "probe-", "feedback-")

OWN = frozenset(name for name in dir(builtins) if not name.startswith("_"))
OF_A_SHELL = frozenset({"open", "exit", "quit", "display", "get_ipython"})
"""What IPython puts among a notebook's names itself."""
MANY = 6


@dataclass(frozen=True, kw_only=True)
class Shadows:
    """What of an answer's names hides something that its checks may use.

    Parameters
    ----------
    names : tuple of str
        Python's own names, and those of the exercise's imports, that mean something else now.
    star : str
        A module of which everything was imported, so that the names are not known.
    hidden : tuple of str
        The names to leave out where a check is run.
    imports : str
        The exercise's own import statements of these names.
    """

    names: tuple[str, ...] = ()
    star: str = ""
    hidden: tuple[str, ...] = ()
    imports: str = ""

    @property
    def sentence(self) -> str:
        """What to tell a learner whose answer is not right; empty if there is nothing to tell."""
        if self.star:
            return (
                f"Your answer says 'from {self.star} import *', which may give max, sum and other "
                "names of Python's own another meaning: import what you need by its name."
            )
        if not self.names:
            return ""
        shown = ", ".join(self.names[:MANY]) + (" and others" if self.names[MANY:] else "")
        return (
            f"Your notebook defines {shown} again, which Python or the exercise has already: "
            "choose another name."
        )


def imports_in(sources: Iterable[str]) -> dict[str, str]:
    """What cells get by import statements alone: the name → its statement; of a star the last."""
    sources, found = list(sources), dict[str, str]()
    for tree in map(plain_tree, sources):
        for node in tree.body if tree is not None else ():
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias in list(node.names):
                    name = alias.asname or alias.name.partition(".")[0]
                    node.names = [alias]
                    binds_top = isinstance(node, ast.Import) and not alias.asname
                    found[name] = f"import {name}" if binds_top else ast.unparse(node)
    for name in frozenset().union(*map(bound_names, sources)):
        found.pop(name, None)
    return found


def shadows_in(answers: Iterable[str], set_up: Iterable[str]) -> Shadows:
    """What some answers hide, told from their text.

    Parameters
    ----------
    answers : iterable of str
        The sources of the learner's cells.
    set_up : iterable of str
        Those of the cells that were given, stubs too: what they hide is meant.
    """
    answers, set_up = list(answers), list(set_up)
    meant = frozenset().union(*map(all_names_bound, set_up))
    bound = frozenset().union(*map(all_names_bound, answers))
    given, own = imports_in(set_up), imports_in(answers)
    names = (OWN & bound) - meant
    names |= {name for name in given.keys() & bound if own.get(name) != given[name]}
    star = own["*"].split()[1] if "*" in own else ""
    return _shadows(names, given, star=star, hidden=(OWN - meant) | given.keys() if star else names)


def _shadows(
    names: Collection[str], given: Mapping[str, str], *, star: str = "", hidden: Collection[str]
) -> Shadows:
    imports = "\n".join(given[name] for name in sorted(hidden) if name in given)
    left_out = tuple(sorted(hidden))
    return Shadows(names=tuple(sorted(names)), star=star, hidden=left_out, imports=imports)


def shadows_of(
    names: Mapping[str, Any], set_up: Iterable[str], asked: Iterable[str] = ()
) -> Shadows:
    """What a notebook hides now, told from its values.

    Parameters
    ----------
    names : Mapping
        The notebook's names.
    set_up : iterable of str
        The sources of the cells that were given for set-up.
    asked : iterable of str
        What the answers are to define.
    """
    set_up = list(set_up)
    given = imports_in(set_up)
    meant = frozenset(asked).union(*map(all_names_bound, set_up)) | OF_A_SHELL
    hidden = {
        name for name in (OWN & names.keys()) - meant if names[name] is not getattr(builtins, name)
    }
    hidden |= {
        name
        for name, statement in given.items()
        if name in names and names[name] is not _imported(name, statement)
    }
    return _shadows(hidden, given, hidden=hidden)


def _imported(name: str, statement: str) -> Any:
    apart: dict[str, Any] = {}
    exec(compile(statement, "<set-up>", "exec", dont_inherit=True), apart)
    return apart.get(name)  # of `*` none


def run_apart(
    names: dict[str, Any], check: str, probes: str, hidden: Collection[str], imports: str
) -> None:
    """Run a check, its probes first, among a notebook's names without those that hide another.

    Parameters
    ----------
    names : dict
        The notebook's names.
    check : str
        The check's source.
    probes : str
        What it calls. Answers call it, too, and later checks what this one defines: the notebook
        gets the names that both bind.
    hidden : collection of str
        Names to leave out.
    imports : str
        The exercise's own import statements of these names.
    """
    apart = {name: value for name, value in names.items() if name not in hidden}
    exec(compile(imports, "<set-up>", "exec", dont_inherit=True), apart)
    for text, place in ((probes, "<probes>"), (check, "<check>")):
        exec(compile(text, place, "exec", dont_inherit=True), apart)
        names.update({name: apart[name] for name in all_names_bound(text) if name in apart})
