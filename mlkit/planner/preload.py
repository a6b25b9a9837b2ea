"""Which modules the notebooks of a pipeline will import, read from their source."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from mlkit.core.pipeline import Pipeline
from mlkit.errors import NotebookError
from mlkit.notebook.cells import read_notebook
from mlkit.planner.observed import syntax_tree

__all__ = ["modules_to_preload"]

_PARQUET = ("pyarrow.parquet", "pyarrow.dataset", "pyarrow.pandas_compat")
_LATE = {"read_parquet": _PARQUET, "to_parquet": _PARQUET}
"""What pandas imports when one of its functions is called for the first time."""

_MLKIT = Path(__file__).parents[1]


def modules_to_preload(pipeline: Pipeline) -> tuple[str, ...]:
    """Give the modules that the stage notebooks import, directly or through project modules.

    Nothing is imported to find out. Project modules are followed, not listed: only what lies
    outside the project is worth importing ahead, and safe to.

    Returns
    -------
    tuple of str
        Dotted names, sorted.
    """
    found: set[str] = set()
    seen: set[Path] = set()
    for notebook in sorted({Path(stage.notebook) for stage in pipeline.stages.values()}):
        try:
            cells = read_notebook(notebook).code_cells
        except NotebookError:
            continue
        text = "\n".join(cell.source for cell in cells)
        _follow(_modules(text, None), notebook.parent, found, seen)
    return tuple(sorted(name for name in found if _is_installed(name.partition(".")[0])))


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


def _modules(source: str, package: str | None) -> set[str]:
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
    return {name for name in names if not name.startswith("__future__")}
