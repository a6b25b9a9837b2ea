"""The notebooks that are converted: their cells, and the folder in which they live."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mlkit.converting.notebook_order import in_order_of_data
from mlkit.converting.parts import Cell
from mlkit.converting.spelled_files import spelled_in
from mlkit.errors import NotebookError, UsageError
from mlkit.frozen import dataclass
from mlkit.notebook.cells import NotebookSource
from mlkit.notebook.kernelspecs import NoKernelError, find_kernel
from mlkit.notebook.source import beside, is_clearly_notebook, is_text, read_notebook
from mlkit.notebook.source_file import SourceFile

__all__ = ["Original", "Originals", "read_originals"]

_LEAVE_OUT = "Leave it out: name the others one by one"

_OTHERS = "Name the notebooks: .ipynb, or texts of Jupytext whose cells begin with '# %%'"

_FURTHEST_UP = 3
"""So far around a stage's own working folder there is room for what it writes to `../`."""


@dataclass(frozen=True, kw_only=True)
class Original:
    """A notebook that is converted.

    Parameters
    ----------
    file : Path
        Where it is.
    cells : tuple of Cell
        Its cells.
    form : dict
        How Jupytext writes it, if it is a text.
    """

    file: Path
    cells: tuple[Cell, ...]
    form: dict[str, Any] = field(default_factory=dict)

    @property
    def has_code(self) -> bool:
        """Whether there is anything to run."""
        return any(cell.kind == "code" and cell.source.strip() for cell in self.cells)


@dataclass(frozen=True, kw_only=True)
class Originals:
    """The notebooks that become one pipeline; they stand in one folder.

    Parameters
    ----------
    notebooks : tuple of Original
        In the order in which they are run.
    remarks : tuple of str
        What people should know of that order.
    """

    notebooks: tuple[Original, ...]
    remarks: tuple[str, ...] = ()

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
        stand in it: in the order of their names, unless their texts spell another one.

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
    if len(paths) == 1 and paths[0].is_dir():
        return _of_folder(files)
    read = [_read(file) for file in files]
    for original in read:
        if not original.has_code:
            raise NotebookError("the notebook has no code", original.file, remedy=_LEAVE_OUT)
    return Originals(notebooks=tuple(_counted_through(read)))


def _of_folder(files: Sequence[Path]) -> Originals:
    """A folder does not say which of its files are the pipeline's, nor in which order; they do."""
    remarks = [
        f"notebooks in {below.name}/ are not converted: each folder is a pipeline of its own"
        for below in _folders_with_notebooks(files[0].parent)
    ]
    read: dict[str, Original] = {}
    for file in files:
        other = next((f for f in files if f.stem == file.stem and f.suffix != file.suffix), file)
        if is_text(file) and (other.suffix == ".ipynb" or files.index(other) < files.index(file)):
            continue  # another form of a notebook that is taken
        if other != file and (differs := beside(file)) is not None:
            remarks.append(differs)
        read[file.name] = _read(file)
    remarks += [f"{n} has no code, and is left out" for n, one in read.items() if not one.has_code]
    spelled = {name: spelled_in(one.cells) for name, one in read.items() if one.has_code}
    modules = {name for one in spelled.values() for name in one.imports if name.endswith(".py")}
    stages = {name: one for name, one in spelled.items() if name not in modules}
    names, on_order = in_order_of_data(stages)
    on_order += [
        f"{name} runs {other} itself, which is a stage, too: to leave one of them out, name the "
        "others one by one"
        for name, one in stages.items()
        for other in sorted(one.imports & stages.keys())
    ]
    if not names:
        raise NotebookError("no notebook in the folder has code", files[0].parent, remedy=_OTHERS)
    ordered = _counted_through([read[name] for name in names])
    return Originals(notebooks=tuple(ordered), remarks=(*remarks, *on_order))


def _counted_through(originals: Sequence[Original]) -> Iterator[Original]:
    """Each goes on counting its cells where the one before ends."""
    begins = 0
    for original in originals:
        name = original.file.name if len(originals) > 1 else ""
        yield replace(
            original,
            cells=tuple(
                replace(cell, index=begins + cell.index, begins=begins, notebook=name)
                for cell in original.cells
            ),
        )
        begins += len(original.cells)


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(_notebooks_in(path), key=_natural)
    if not found:
        inside = [f"{folder.name}/" for folder in _folders_with_notebooks(path)]
        remedy = f"Name one folder of notebooks: {', '.join(inside)}" if inside else _OTHERS
        raise UsageError("there is no notebook in the folder", path, remedy=remedy)
    return found


def _notebooks_in(folder: Path) -> list[Path]:
    plain = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    return list(filter(is_clearly_notebook, plain))


def _folders_with_notebooks(folder: Path) -> list[Path]:
    """Folders right below one that are people's own and hold notebooks as Jupyter keeps them."""
    below = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    return [p for p in below if p.name != "runs" and any(p.glob("*.ipynb"))]


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """A key by which `2-b` comes before `10-a`."""
    words = re.findall(r"\d+|\D+", path.stem)
    numbered = [(int(word), "") if word.isdecimal() else (-1, word) for word in words]
    return numbered, path.suffix


def _read(file: Path) -> Original:
    source = read_notebook(file)
    said = SourceFile.of(file.read_bytes(), file).document["metadata"] if is_text(file) else {}
    form = {k: v for k, v in said.get("jupytext", {}).items() if k != "cell_metadata_filter"}
    return Original(file=file, cells=_cells_of(source), form=form)  # a stage's cells need tags


def _cells_of(source: NotebookSource) -> tuple[Cell, ...]:
    language = source.language or _language_of_kernel(source)
    if language != "python":
        raise NotebookError(
            f"the notebook is written in {language}, and only Python can be converted",
            source.path,
            remedy="Name those in Python one by one, and add this one to pipeline.yaml yourself",
        )
    return tuple(
        Cell(
            index=number,
            kind=str(cell["cell_type"]),
            source=_text(cell),
            metadata=_metadata(cell),
        )
        for number, cell in enumerate(source.document["cells"])
    )


def _language_of_kernel(source: NotebookSource) -> str:
    """The language of the kernel that a notebook names, if it does not say its own."""
    said = source.document.get("metadata", {}).get("kernelspec")
    name = said.get("name") if isinstance(said, dict) else None
    try:
        kernel = find_kernel(name) if isinstance(name, str) else None
    except NoKernelError:  # of somebody's environment: mlkit's own Python runs it
        return "python"
    return "python" if kernel is None else kernel.language


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
