"""Run the original, and look at its names behind each part.

It runs on a copy of its folder, so that what it writes does not meet what is there.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from mlkit.converting.originals import Original, Originals
from mlkit.converting.parts import Cell
from mlkit.converting.shown import lines_of, pictures_of
from mlkit.errors import UsageError
from mlkit.frozen import dataclass

__all__ = ["Look", "Marks", "Observation", "observe"]

_MOST_BYTES = 2_000_000_000
_LEFT_OUT = (".git", ".venv", "venv", "node_modules", ".ipynb_checkpoints", "__pycache__", "runs")
_TAKE = (
    "__import__('mlkit.converting.snapshot', fromlist=['{take}'])"
    ".{take}(globals(), {folder!r}, {number}{project})"
)

Marks = tuple[int, int, str]
"""A file's size, its time, and the digest of its contents if it is new since the beginning."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """The names behind a cell: what is known of each, and the files that are there.

    `read` and `listed` are the files and folders that Python has opened since the look before;
    `works_in` is the working folder, from the notebook's own.
    """

    names: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, Marks]
    folder: Path
    read: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    works_in: str = "."


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One run of the original.

    Parameters
    ----------
    looks : mapping of int to Look
        By the cell behind which each was taken; -1 is the beginning.
    failed : mapping of int to str
        Cells that raised, and what.
    pictures : mapping of int to list of str
        The figures of each cell, as they stand in the notebook (base64).
    lines : mapping of int to tuple of str
        What else each cell shows.
    states : mapping of int to mapping
        What functions and classes keep, behind each cell that defines some.
    """

    looks: Mapping[int, Look]
    failed: Mapping[int, str] = field(default_factory=dict)
    pictures: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    lines: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    states: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


def observe(
    originals: Originals, ends: Collection[int], work: Path, say: Callable[[str], None]
) -> Observation:
    """Run notebooks once, as JupyterLab would run each from its first cell to its last.

    Each has a kernel of its own, and finds what those before it have written.

    Parameters
    ----------
    originals : Originals
        The notebooks; their project's folder is copied.
    ends : collection of int
        The cells behind which to look.
    work : Path
        An empty folder of its own.
    say : callable
        Told which notebook runs.
    """
    kept = work / "kept"
    kept.mkdir(parents=True)
    _copy(originals.project, work / "play")
    start = work / "play" / originals.folder.relative_to(originals.project)
    observations: list[Observation] = []
    for number, original in enumerate(originals.notebooks, start=1):
        say(original.file.name)
        observations.append(_observe_one(original, ends, (work / "play", start, kept), -number))
    return _joined(observations)


def _joined(observations: Sequence[Observation]) -> Observation:
    """One of all: a later kernel does not know the digests of files that were there for it."""
    looks: dict[int, Look] = {}
    marks: dict[str, Marks] = {}
    for observation in observations:
        for number, look in observation.looks.items():
            files = {
                name: marks[name] if not mark[2] and marks.get(name, ())[:2] == mark[:2] else mark
                for name, mark in look.files.items()
            }
            marks = files
            if number >= -1:
                looks[number] = replace(look, files=files)
    return Observation(
        looks=looks,
        failed={k: v for one in observations for k, v in one.failed.items()},
        pictures={k: v for one in observations for k, v in one.pictures.items()},
        lines={k: v for one in observations for k, v in one.lines.items()},
        states={k: v for one in observations for k, v in one.states.items()},
    )


def _observe_one(
    original: Original, ends: Collection[int], places: tuple[Path, Path, Path], first: int
) -> Observation:
    """Run one notebook; the look at its beginning has a number below zero of its own."""
    # nbformat and nbclient take a second, for which the command's help need not wait.
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    node: Callable[[Any], Any] = nbformat.from_dict
    play, start, kept = places
    document = node({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    stands: dict[int, int] = {}

    def code_cell(source: str, name: str) -> Any:
        return node(
            {
                "cell_type": "code",
                "id": name,
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
        )

    def look(number: int, take: str = "take") -> None:
        project = f", {str(play.resolve())!r}" if take == "take" else ""
        source = _TAKE.format(take=take, folder=str(kept), number=number, project=project)
        document.cells.append(code_cell(source, f"{take}{number}"))

    look(first)
    for cell in original.cells:
        if cell.kind == "code":
            stands[cell.index] = len(document.cells)
            document.cells.append(code_cell(cell.source, f"cell-{cell.index}"))
        if _defines(cell):
            look(cell.index, "take_states")
        if cell.index in ends:
            look(cell.index)
    nbformat.validate(document)
    # a module that is read from its compiled form is not seen to be read
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    client = NotebookClient(
        document,
        allow_errors=True,
        timeout=None,
        extra_arguments=["--log-level=40"],  # it warns of its own way of being started
        resources={"metadata": {"path": str(start)}},
    )
    try:
        client.execute(env=environment)
    except (CellExecutionError, DeadKernelError) as error:
        raise UsageError(
            f"the notebook's kernel ended: {error}",
            original.file,
            remedy="See that it runs from its first cell to its last (Restart and Run All)",
        ) from None
    failed, pictures, lines = {}, {}, {}
    for index, place in stands.items():
        outputs = document.cells[place].outputs
        errors = [out for out in outputs if out.output_type == "error"]
        if errors:
            failed[index] = f"{errors[0].ename}: {errors[0].evalue}"
        pictures[index] = pictures_of(outputs)
        lines[index] = lines_of(outputs)
    wanted = [cell.index for cell in original.cells if cell.index in ends]
    looks = {number: _read(kept, number) for number in (first, *wanted)}
    states = {
        cell.index: json.loads((kept / f"states-{cell.index}.json").read_text(encoding="utf-8"))
        for cell in original.cells
        if _defines(cell)
    }
    return Observation(looks=looks, failed=failed, pictures=pictures, lines=lines, states=states)


def _defines(cell: Cell) -> bool:
    """Whether a cell defines functions or classes, which may keep something as soon as used."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(statement.node, kinds) for statement in cell.statements)


def _read(kept: Path, number: int) -> Look:
    file = kept / f"cut-{number}.json"
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            "the notebook's names could not be looked at while it ran",
            remedy="It runs in mlkit's own Python: see that its kernel can import mlkit",
        ) from None
    files: dict[str, Marks] = {name: tuple(marks) for name, marks in told["files"].items()}
    return Look(
        names=told["names"],
        files=files,
        folder=kept / f"cut-{number}",
        read=frozenset(told["read"]),
        listed=frozenset(told["listed"]),
        folders=frozenset(told["folders"]),
        works_in=told["works_in"],
    )


def _copy(source: Path, target: Path) -> None:
    left = {*_LEFT_OUT}
    size = sum(
        p.stat().st_size
        for p in source.rglob("*")
        if p.is_file() and not p.is_symlink() and not left & {*p.relative_to(source).parts}
    )
    if size > _MOST_BYTES:
        raise UsageError(
            f"the notebook's folder holds {size / 1e9:.0f} GB, which would be copied for its runs",
            source,
            remedy="Move the notebook, and the files that it reads, into a folder of their own",
        )
    try:
        shutil.copytree(source, target, ignore=_left_out, ignore_dangling_symlinks=True)
    except (shutil.Error, OSError) as error:
        name, why = _first_trouble(error, source)
        raise UsageError(
            f"it cannot be copied for the runs of the notebooks: {why}",
            name,
            remedy="See that it can be read, or move it out of the project's folder",
        ) from None


def _left_out(folder: str, names: Sequence[str]) -> set[str]:
    """What is not copied: what tools keep, pipes and sockets, and links that lead around."""
    here = Path(folder).resolve()
    return {
        name
        for name in names
        if name in _LEFT_OUT
        or (Path(folder, name).exists() and not _is_plain(Path(folder, name)))
        or Path(folder, name).resolve() in (here, *here.parents)
    }


def _is_plain(path: Path) -> bool:
    return path.is_file() or path.is_dir()


def _first_trouble(error: shutil.Error | OSError, source: Path) -> tuple[Path, str]:
    """The file at which copying stopped, and the system's words."""
    if isinstance(error, shutil.Error):
        name, _, why = error.args[0][0]
        return Path(name), str(why).partition("] ")[2].partition(":")[0] or str(why)
    return Path(error.filename or source), error.strerror or str(error)
