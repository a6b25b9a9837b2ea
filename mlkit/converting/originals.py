"""The notebooks that are converted: their cells, and the folder in which they live."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mlkit.converting.parts import Cell
from mlkit.errors import NotebookError, UsageError
from mlkit.frozen import dataclass
from mlkit.notebook.source import read_notebook

__all__ = ["Original", "Originals", "read_originals"]

_FURTHEST_UP = 3
"""So far around a stage's own working folder there is room for what it writes to `../`."""


@dataclass(frozen=True, kw_only=True)
class Original:
    """A notebook that is converted: its file, and its cells."""

    file: Path
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Originals:
    """The notebooks that become one pipeline; they stand in one folder."""

    notebooks: tuple[Original, ...]

    @property
    def are_several(self) -> bool:
        """Whether each becomes a stage; one alone is cut."""
        return len(self.notebooks) > 1

    @property
    def called(self) -> str:
        """What people call them: the name of one, or the first and the last."""
        first, last = self.notebooks[0].file.name, self.notebooks[-1].file.name
        if len(self.notebooks) > 2:
            return f"{len(self.notebooks)} notebooks, {first} to {last},"
        return f"{first} and {last}" if self.are_several else first

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of all, in order."""
        return tuple(cell for notebook in self.notebooks for cell in notebook.cells)

    @property
    def folder(self) -> Path:
        """Where they stand."""
        return self.notebooks[0].file.parent

    @cached_property
    def project(self) -> Path:
        """The folder that holds all that they name: their own, or one around it."""
        up = max(map(_levels_up, self.cells), default=0)
        project = self.folder
        for _ in range(min(up, _FURTHEST_UP)):
            if Path.home().is_relative_to(project.parent) or project.parent == project:
                break
            project = project.parent
        return project


def read_originals(paths: Sequence[Path]) -> Originals:
    """Read the notebooks.

    Parameters
    ----------
    paths : sequence of Path
        Notebooks of one folder, in the order in which they are run; or that folder, for all that
        stand in it, in the order of their names.

    Raises
    ------
    UsageError, NotebookError
        If one of them cannot be read or converted.
    """
    files = [file for path in paths for file in _files_of(path.absolute())]
    for number, file in enumerate(files):
        if file in files[:number]:
            raise UsageError("the notebook is named twice", file, remedy="Name each once")
        if file.parent != files[0].parent:
            raise UsageError(
                f"the notebook stands in another folder than {files[0].name}",
                file,
                remedy="Name notebooks of one folder: paths in them start there",
            )
    read: list[Original] = []
    for file in files:
        begins = sum(len(one.cells) for one in read)
        name = file.name if len(files) > 1 else ""
        cells = _cells_of(file, begins, name)
        if not any(cell.kind == "code" and cell.source.strip() for cell in cells):
            raise NotebookError("the notebook has no code", file, remedy="Choose another one")
        read.append(Original(file=file, cells=cells))
    return Originals(notebooks=tuple(read))


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.ipynb"), key=_natural)
    if not found:
        raise UsageError("there is no notebook in the folder", path, remedy="Name notebooks")
    return found


def _natural(path: Path) -> list[tuple[int, str]]:
    """A key by which `2-b` comes before `10-a`."""
    words = re.findall(r"\d+|\D+", path.stem)
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]


def _cells_of(file: Path, begins: int, name: str) -> tuple[Cell, ...]:
    source = read_notebook(file)
    language = source.document.get("metadata", {}).get("kernelspec", {}).get("language", "python")
    if language.lower() not in ("python", "python3", "ipython"):
        raise NotebookError(
            f"the notebook is written in {language}", file, remedy="Only Python can be converted"
        )
    return tuple(
        Cell(
            index=begins + number,
            kind=str(cell["cell_type"]),
            source=_text(cell),
            metadata=_metadata(cell),
            begins=begins,
            notebook=name,
        )
        for number, cell in enumerate(source.document["cells"])
    )


def _text(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _metadata(cell: Mapping[str, Any]) -> dict[str, Any]:
    """The cell's metadata without what an execution has left."""
    left = ("execution", "papermill", "ExecuteTime", "collapsed", "outputId")
    return {key: value for key, value in cell.get("metadata", {}).items() if key not in left}


def _levels_up(cell: Cell) -> int:
    """How many folders up the texts of a cell lead: two for `'../../data'`."""
    nodes = (node for s in cell.statements for node in ast.walk(s.node))
    texts = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    paths = [*texts, *cell.shell_words, *cell.scripts]
    return max((_leading(os.path.normpath(p)) for p in paths if p.startswith("..")), default=0)


def _leading(path: str) -> int:
    """How many of a path's parts lead up."""
    parts = path.replace(os.sep, "/").split("/")
    return next((n for n, part in enumerate(parts) if part != ".."), len(parts))
