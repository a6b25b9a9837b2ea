"""What a notebook's code is going to import, as far as that can be told without running it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache

from mlkit.core.parsing import parse
from mlkit.notebook.kernels.mlkit_zygote.tried import is_installed, is_tried

__all__ = ["is_tried", "needs_of"]

BY_NAME = frozenset({"__import__", "import_module", "exec", "eval", "run_module", "run_path"})
INSIDE = "mlkit.inside"


def needs_of(cells: Iterable[str]) -> frozenset[str] | None:
    """Give the top-level modules of packages that some cells import.

    Parameters
    ----------
    cells : iterable of str
        The source of each code cell.

    Returns
    -------
    frozenset of str or None
        None where that cannot be told: if a project's own modules are imported, which may import
        anything, or modules by computed names, or if a cell is not plain Python.
    """
    found: set[str] = set()
    for cell in cells:
        try:
            tree = parse(cell)
        except (SyntaxError, ValueError):
            return None
        for name in _modules(tree):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names or name == "mlkit" or name.startswith(INSIDE):
                continue
            if top in {"", "mlkit"} or not _is_package(top):
                return None
            found.add(top)
    return frozenset(found)


def _modules(tree: ast.AST) -> Iterator[str]:
    """The modules that a cell imports; an empty name for what cannot be told."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0, names=names):
                yield module
                if module == "mlkit":
                    yield from (f"mlkit.{alias.name}" for alias in names if alias.name == "ml")
            case ast.ImportFrom():
                yield ""
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in BY_NAME:
                yield ""


@lru_cache(maxsize=1024)
def _is_package(top: str) -> bool:
    """Whether a module stands in site-packages; one that cannot be found may be the project's."""
    from importlib.util import find_spec

    try:
        return find_spec(top) is not None and is_installed(top)
    except (ImportError, ValueError):
        return False
