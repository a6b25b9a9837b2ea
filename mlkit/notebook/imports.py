"""What notebooks import, read from their source: nothing is executed to find out.

Who starts kernels wants to know which packages to import ahead, and which of them a notebook waits
for; who plans wants to know which packages a piece of code names. All of them ask here.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mlkit.core.graph import edges, topological_order
from mlkit.core.parsing import parse
from mlkit.core.pipeline import Pipeline
from mlkit.errors import NotebookError
from mlkit.notebook.cells import NotebookSource
from mlkit.notebook.kernels.mlkit_zygote.tried import is_tried
from mlkit.notebook.source import read_notebook

__all__ = [
    "Import",
    "imports_in",
    "modules_to_preload",
    "needs_of_notebook",
    "needs_of_stages",
    "project_files",
    "top_level_names",
]

_PARQUET = ("pyarrow.parquet", "pyarrow.dataset", "pyarrow.pandas_compat")
_LATE = {"read_parquet": _PARQUET, "to_parquet": _PARQUET}
"""What pandas imports when one of its functions is called for the first time."""

_MLKIT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Import:
    """One import, as it stands in a text.

    Parameters
    ----------
    module : str
        The module's dotted name.
    names : tuple of str
        What is taken out of it; each may be a module as well.
    """

    module: str
    names: tuple[str, ...] = ()


@lru_cache(maxsize=256)
def imports_in(source: str, package: str = "") -> frozenset[Import]:
    """Give every import in a piece of Python, wherever it stands.

    Parameters
    ----------
    source : str
        The text. Its magics are passed over; one that is no Python imports nothing.
    package : str
        The package that it belongs to; without one, relative imports are passed over.
    """
    found: set[Import] = set()
    for node in ast.walk(_tree(source)):
        match node:
            case ast.Import(names=names):
                found.update(Import(alias.name) for alias in names)
            case ast.ImportFrom(module=module, level=level, names=names) if package or not level:
                base = _base(module or "", level, package)
                found.add(Import(base, tuple(alias.name for alias in names)))
            case ast.Attribute(attr=function):
                found.update(Import(name) for name in _LATE.get(function, ()))
    return frozenset(each for each in found if each.module and each.module != "__future__")


def top_level_names(source: str) -> set[str]:
    """The top-level modules that a piece of Python imports anywhere."""
    return {_top(each.module) for each in imports_in(source)}


def needs_of_notebook(notebook: NotebookSource) -> frozenset[str]:
    """Give the top-level modules, not of the standard library, that a notebook imports.

    Its project's modules are followed, not listed. What is imported by a computed name is not seen;
    a kernel that was forked without it imports it itself.
    """
    return frozenset(top for top in map(_top, _outside(notebook)) if _is_worth_waiting_for(top))


def needs_of_stages(
    pipeline: Pipeline, start: str, count: int, among: Collection[str]
) -> tuple[frozenset[str], ...]:
    """Give what the notebooks of a stage and of those that come after it import.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    start : str
        The stage to begin with.
    count : int
        How many stages to look at, at the most.
    among : collection of str
        The stages that count.
    """
    order = [name for name in topological_order(edges(pipeline)) if name in among]
    stages = [pipeline.stages[name] for name in order[order.index(start) :][:count]]
    found = []
    for stage in stages:
        if stage.kernel is None:  # others are never forked
            with contextlib.suppress(NotebookError):  # it is told when the stage's turn comes
                found.append(needs_of_notebook(read_notebook(Path(stage.notebook))))
    return tuple(found)


def modules_to_preload(pipeline: Pipeline, among: Collection[str] | None = None) -> tuple[str, ...]:
    """Give the modules that the stage notebooks import, directly or through project modules.

    Only packages that were tried are safe to import ahead. The standard library is left out: a
    kernel has most of it by itself, and the rest takes it some milliseconds.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    among : collection of str, optional
        The stages that count; default: all.

    Returns
    -------
    tuple of str
        Dotted names, sorted.
    """
    found: set[str] = set()
    counting = pipeline.stages.keys() if among is None else pipeline.stages.keys() & set(among)
    stages = [pipeline.stages[name] for name in counting]
    notebooks = {stage.notebook for stage in stages if stage.kernel is None}
    for notebook in map(Path, notebooks):
        with contextlib.suppress(NotebookError):  # see above
            found |= _outside(read_notebook(notebook))
    return tuple(sorted(n for n in found if is_tried(_top(n)) and _is_worth_waiting_for(_top(n))))


def project_files(notebook: NotebookSource) -> frozenset[Path]:
    """Give the files of its project's modules that a notebook imports, also by one another."""
    return frozenset(_followed(notebook)[1])


def _outside(notebook: NotebookSource) -> set[str]:
    """The modules outside the project that a notebook imports, also by its project's modules."""
    return _followed(notebook)[0]


def _followed(notebook: NotebookSource) -> tuple[set[str], set[Path]]:
    """The modules outside the project to which a notebook's imports lead, and the files inside."""
    text = "\n".join(cell.source for cell in notebook.code_cells)
    found: set[str] = set()
    seen: set[Path] = set()
    todo = list(imports_in(text))
    while todo:
        each = todo.pop()
        files = _project_files(each, notebook.path.parent)
        if not files and _top(each.module) != "mlkit":
            found.add(each.module)
        for name, file in files.items():
            if file not in seen:
                seen.add(file)
                package = name if file.name == "__init__.py" else name.rpartition(".")[0]
                source = file.read_text(encoding="utf-8", errors="replace")
                todo += imports_in(source, package)
    return found, seen


def _project_files(each: Import, folder: Path) -> dict[str, Path]:
    """The files of the project, or of the notebooks' helpers, that an import leads to."""
    root = _MLKIT.parent if _top(each.module) == "mlkit" else folder
    names = (each.module, *(f"{each.module}.{name}" for name in each.names))
    return {
        name: file
        for name in names
        if root is folder or name.startswith("mlkit.ml")
        if (file := _file(root.joinpath(*name.split(".")))) is not None
    }


def _file(path: Path) -> Path | None:
    places: Iterable[Path] = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in places if file.is_file()), None)


@lru_cache(maxsize=1024)
def _is_worth_waiting_for(top: str) -> bool:
    """Whether a module stands outside the standard library; looking does not import it."""
    try:
        return top not in sys.stdlib_module_names and importlib.util.find_spec(top) is not None
    except (ValueError, ImportError):
        return False


def _base(module: str, level: int, package: str) -> str:
    """The absolute name of what a `from … import` names by its distance."""
    if not level:
        return module
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])


def _tree(source: str) -> ast.AST:
    plain = "\n".join(
        "pass" if line.lstrip().startswith(("%", "!", "?")) else line
        for line in source.splitlines()
    )
    try:
        return parse(plain)
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def _top(name: str) -> str:
    return name.partition(".")[0]
