"""Which modules the notebooks of a pipeline will import, read from their source."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Pipeline
from mlkit.errors import NotebookError
from mlkit.notebook.cells import NotebookSource
from mlkit.notebook.kernels import is_tried
from mlkit.notebook.source import read_notebook
from mlkit.planner.imports import syntax_tree

__all__ = ["modules_to_preload", "needs_of_notebook", "needs_of_stages"]

_PARQUET = ("pyarrow.parquet", "pyarrow.dataset", "pyarrow.pandas_compat")
_LATE = {"read_parquet": _PARQUET, "to_parquet": _PARQUET}
"""What pandas imports when one of its functions is called for the first time."""

_MLKIT = Path(__file__).parents[1]


def modules_to_preload(pipeline: Pipeline) -> tuple[str, ...]:
    """Give the modules that the stage notebooks import, directly or through project modules.

    Nothing is imported to find out. Project modules are followed, not listed: only what lies
    outside the project is worth importing ahead, and only packages that were tried are safe to.

    Returns
    -------
    tuple of str
        Dotted names, sorted.
    """
    found: set[str] = set()
    for notebook in sorted({Path(stage.notebook) for stage in pipeline.stages.values()}):
        with contextlib.suppress(NotebookError):
            found |= _imports(read_notebook(notebook))
    return tuple(
        sorted(
            name for name in found if is_tried(top := name.partition(".")[0]) and _is_installed(top)
        )
    )


def needs_of_notebook(notebook: NotebookSource) -> frozenset[str]:
    """Give the top-level modules, not of the standard library, that a notebook imports.

    As with `modules_to_preload`, project modules are followed. What is imported by a computed name
    is not seen; a kernel that was forked without it imports it itself.
    """
    tops = {name.partition(".")[0] for name in _imports(notebook)}
    return frozenset(top for top in tops - sys.stdlib_module_names if _is_installed(top))


def needs_of_stages(pipeline: Pipeline, start: str, count: int) -> tuple[frozenset[str], ...]:
    """Give what the notebooks of a stage and of those that come after it import.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    start : str
        The stage to begin with.
    count : int
        How many stages to look at, at the most.
    """
    order = topological_order(edges(pipeline))
    found = []
    for name in order[order.index(start) :][:count]:
        with contextlib.suppress(NotebookError):
            found.append(needs_of_notebook(read_notebook(Path(pipeline.stages[name].notebook))))
    return tuple(found)


def _imports(notebook: NotebookSource) -> set[str]:
    """The modules outside the project that a notebook imports, also by its project's modules."""
    found: set[str] = set()
    text = "\n".join(cell.source for cell in notebook.code_cells)
    _follow(_modules(text, None), notebook.path.parent, found, set())
    return found


@lru_cache(maxsize=1024)
def _is_installed(module: str) -> bool:
    """Whether a top-level module is there; looking does not import it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ValueError, ImportError):
        return False


def _follow(names: Iterable[str], folder: Path, found: set[str], seen: set[Path]) -> None:
    todo = list(names)
    while todo:
        name = todo.pop()
        file = _project_file(name, folder)
        if file is None:
            if not name.startswith("mlkit"):
                found.add(name)
        elif file not in seen:
            seen.add(file)
            package = name if file.name == "__init__.py" else name.rpartition(".")[0]
            todo += _modules(file.read_text(encoding="utf-8", errors="replace"), package)


def _project_file(name: str, folder: Path) -> Path | None:
    root = _MLKIT.parent if name.startswith("mlkit.ml") else folder
    path = root.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


@lru_cache(maxsize=256)
def _modules(source: str, package: str | None) -> frozenset[str]:
    """The modules that a text imports, as dotted names; `from a import b` gives a and a.b."""
    tree = syntax_tree(source)
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            names.update(_LATE.get(node.attr, ()))
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level and package is not None:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            if base:
                names.add(base)
                if base.startswith("mlkit"):
                    names.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(name for name in names if not name.startswith("__future__"))
