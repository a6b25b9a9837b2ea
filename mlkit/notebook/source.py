"""Read a stage's notebook: a `.ipynb`, or text that Jupytext reads (`.py`, `.md`).

This is the one place that reads a stage's notebook from the disk. What comes of either form is the
same: the same code cells give the same fingerprint, and what is executed and kept is a `.ipynb`.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.core.pipeline import Stage
from mlkit.core.suggesting import did_you_mean
from mlkit.errors import NotebookError, why_unreadable
from mlkit.notebook.cells import NotebookSource, parse_document, parse_notebook
from mlkit.notebook.importing import FORMAT_CHECKS, missing

__all__ = [
    "SUFFIXES",
    "beside",
    "differing_pairs",
    "failing_place",
    "is_clearly_notebook",
    "is_text",
    "jupytext_document",
    "read_notebook",
]

SUFFIXES = (".ipynb", ".py", ".md")
"""What a notebook's file may end with."""

_FORMATS = {".py": "py:percent", ".md": "md"}
"""How a text is read whose header does not say it."""

_MARKERS = {
    ".py": re.compile(r"^#\s*%%", re.MULTILINE),
    ".md": re.compile(r"^\s*(```+|~~~+)\s*(\{code-cell\}|python\b|ipython)", re.MULTILINE),
}
_HEADER = re.compile(r"\A(#\s*)?---\s*$(?P<said>.*?)^(#\s*)?---\s*$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^(#\s*)?(jupytext|jupyter|kernelspec):", re.MULTILINE)
_AT_LINE = re.compile(r"at line (\d+)")
_CELL_FRAME = re.compile(r"^\s*Cell In\[\d+\], line (\d+)", re.MULTILINE)
_CELL_MAGIC = "%%"
_BEGIN_CELLS = {
    ".py": "Begin each cell with a line '# %%', the parameters cell with "
    "'# %% tags=[\"parameters\"]'",
    ".md": "Write code as ```{code-cell} (MyST) or ```python (Markdown)",
}


def is_text(path: Path) -> bool:
    """Whether a notebook's file is text that Jupytext reads."""
    return path.suffix.lower() in _FORMATS


def read_notebook(path: Path) -> NotebookSource:
    """Read a stage's notebook.

    Parameters
    ----------
    path : Path
        A `.ipynb` of format 4, a `.py` whose cells begin with `# %%`, or a `.md` (MyST, Markdown).

    Raises
    ------
    NotebookError
        If there is no such file, or it holds no notebook.
    """
    looks = _looks(path)
    known = _READ.get(path)
    if known is not None and known[0] == looks:
        return known[1]
    text = _text_of(path)
    source = _read_text(text, path) if is_text(path) else parse_notebook(text, path)
    if (
        looks is not None
        and looks == _looks(path)
        and time.time_ns() - max(looks[:2]) > _SETTLED_NS
    ):
        if len(_READ) >= _MOST_READ:
            _READ.clear()
        _READ[path] = looks, source
    return source


_READ: dict[Path, tuple[tuple[int, ...], NotebookSource]] = {}
"""Notebooks as they were read: a run's pipeline is loaded, and its stages are looked at after."""
_MOST_READ = 4096
_SETTLED_NS = 2_000_000_000
"""A file that changed later than this before it was read could change again, and look the same."""


def _looks(path: Path) -> tuple[int, ...] | None:
    """What tells that a file is another one, or holds something else."""
    try:
        seen = os.stat(path)  # noqa: PTH116 - a link leads to the file that is read
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino, seen.st_dev


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        remedy = did_you_mean(path.name, _beside(path.parent)) or "Look at its path"
        raise NotebookError("there is no such notebook", path, None, remedy, "E301") from None
    except IsADirectoryError:
        remedy = did_you_mean(path.name, _beside(path)) or "Name a notebook's file"
        raise NotebookError(
            "this is a folder, not a notebook", path, None, remedy, "E301"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        fact, remedy = why_unreadable(error)
        fact = f"the notebook cannot be read: {fact}"
        raise NotebookError(fact, path, remedy=remedy, code="E301") from None


def _beside(folder: Path) -> list[str]:
    """The notebooks in a folder: one of them is meant where another name was written."""
    return sorted(path.name for path in folder.glob("*.ipynb"))


def _read_text(text: str, path: Path) -> NotebookSource:
    """Read a text; its cells know their lines."""
    if not _is_notebook(text, path):
        raise NotebookError(
            "the text holds no cell of code",
            path,
            remedy=_BEGIN_CELLS[path.suffix.lower()],
            code="E301",
        )
    document = jupytext_document(text, path)
    document["metadata"].pop("jupytext", None)  # a pair's second file is none of the record's
    source = parse_document(document, path)
    lines = _lines_of(source, text.splitlines())
    cells = zip(source.cells, lines, strict=True)
    return replace(source, cells=tuple(replace(cell, line=line) for cell, line in cells))


def _is_notebook(text: str, path: Path) -> bool:
    """Whether a text is meant as a notebook: by its header, or by the marks of its cells."""
    return _names_jupyter(text) or bool(_MARKERS[path.suffix.lower()].search(text))


def _names_jupyter(text: str) -> bool:
    header = _HEADER.match(text)
    return header is not None and bool(_NAMED.search(header["said"]))


def _is_pair(text: str, path: Path) -> bool:
    """Whether a text beside a notebook is another form of it; a page may show some Python, too."""
    shows_only = path.suffix.lower() == ".md" and "{code-cell}" not in text
    return _names_jupyter(text) or (_is_notebook(text, path) and not shows_only)


def is_clearly_notebook(path: Path) -> bool:
    """Whether a file is a notebook to all who see it: no module, and no page that shows code."""
    if not is_text(path):
        return path.suffix.lower() == ".ipynb"
    try:
        return _is_pair(_text_of(path), path)
    except NotebookError:  # a module may be written in any encoding
        return False


def jupytext_document(text: str, path: Path) -> dict[str, Any]:
    """What Jupytext makes of a text, as the JSON of a `.ipynb` that is the same every time.

    Its metadata say under `jupytext` how the text is written.

    Raises
    ------
    NotebookError
        If Jupytext cannot read it.
    """
    # Jupytext takes a third of a second to import, which only a pipeline with texts pays.
    with missing(*FORMAT_CHECKS):
        import jupytext
    try:
        notebook = jupytext.reads(text, fmt=_FORMATS[path.suffix.lower()])
    except Exception as error:  # noqa: BLE001 - a library's verdict on somebody's text: any class
        said = str(error).partition("\n")[0] or type(error).__name__
        found = _AT_LINE.search(said)
        raise NotebookError(
            f"Jupytext cannot read the notebook: {said}",
            path,
            None if found is None else int(found[1]),
            "Correct its header or that cell; 'jupytext --to ipynb' tries the same",
            code="E301",
        ) from None
    document: dict[str, Any] = json.loads(json.dumps(notebook))
    for index, cell in enumerate(document["cells"]):
        cell["id"] = f"cell-{index}"  # Jupytext draws them at random
    return document


def _lines_of(source: NotebookSource, lines: Sequence[str]) -> Iterator[int | None]:
    """Find the line of the text, from 1, at which each cell begins; None if it cannot be told."""
    begin = 0
    for cell in source.cells:
        wanted = cell.source.split("\n")
        found = _find(wanted, lines, begin)
        skipped = 0
        if found is None and wanted[0].startswith(_CELL_MAGIC):
            skipped = 1  # such a line stands in the marker: # %% language="bash"
            found = _find(wanted[1:], lines, begin)
        if found is None or not cell.source.strip():
            yield None
            continue
        begin = found + len(wanted) - skipped
        yield found + 1 - skipped


def _find(wanted: Sequence[str], lines: Sequence[str], begin: int) -> int | None:
    for place in range(begin, len(lines) - len(wanted) + 1):
        if all(_is_same(lines[place + n], line) for n, line in enumerate(wanted)):
            return place
    return None


def _is_same(written: str, line: str) -> bool:
    """Whether a line of a cell stands so in the text, or behind a comment's sign."""
    written, line = written.strip(), line.strip()
    if written == line:
        return True
    return written.startswith("#") and written.removeprefix("#").strip() == line


def failing_place(source: NotebookSource, cell: int | None, traceback: str) -> str:
    """Say where in a text a cell failed: `cell 3, line 41 of train.py`.

    Parameters
    ----------
    source : NotebookSource
        The notebook.
    cell : int, optional
        The cell's place, from 0.
    traceback : str
        As the notebook showed it, without terminal colours; empty if there is none.

    Returns
    -------
    str
        Empty for a notebook that is no text, and for the injected cell.
    """
    if cell is None or cell >= len(source.cells) or (line := source.cells[cell].line) is None:
        return ""
    frame = _CELL_FRAME.search(traceback)
    line += 0 if frame is None else int(frame[1]) - 1
    return f"cell {cell + 1}, line {line} of {source.path.name}"


def differing_pairs(stages: Iterable[Stage]) -> list[str]:
    """Say of which notebooks another form stands beside them and is not the same."""
    # One look into each folder: to ask for every name that might be there takes twice as many
    # calls as there are stages.
    notebooks = dict.fromkeys(str(stage.notebook) for stage in stages)
    there = {folder: _names_in(folder) for folder in {os.path.dirname(n) for n in notebooks}}  # noqa: PTH120 - as text: there are thousands
    pairs = []
    for notebook in notebooks:
        folder, name = os.path.split(notebook)
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - see above
        if any(stem + each in there[folder] for each in SUFFIXES if each != suffix):
            pairs.append(Path(notebook))
    return [said for path in pairs if (said := beside(path)) is not None]


def _names_in(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - see above
    except OSError:  # who reads the notebook says that it is gone
        return frozenset()


def beside(path: Path) -> str | None:
    """Say that a notebook stands in another form beside the one that runs, and is not the same.

    Parameters
    ----------
    path : Path
        The notebook that runs.

    Returns
    -------
    str or None
        One sentence; None if there is no such file, or its code is the same.
    """
    for other in (path.with_suffix(suffix) for suffix in SUFFIXES if suffix != path.suffix):
        if not other.is_file():
            continue
        try:
            text = _text_of(other)
            if is_text(other) and not _is_pair(text, other):
                continue  # a module or a page of that name
            differs = _difference(read_notebook(path), read_notebook(other))
        except NotebookError as error:
            return f"{other.name} stands beside {path.name}, which runs, and is broken: {error}"
        if differs is not None:
            newer = path if _age(path) >= _age(other) else other
            return (
                f"{other.name} stands beside {path.name}, which runs, and differs in {differs}; "
                f"make them one: jupytext --sync, or --to from {newer.name}, which is newer"
            )
    return None


def _age(path: Path) -> float:
    return path.stat().st_mtime


def _difference(one: NotebookSource, other: NotebookSource) -> str | None:
    """The first code cell that two forms of a notebook do not share."""
    mine, theirs = one.code_cells, other.code_cells
    for left, right in zip(mine, theirs, strict=False):
        if (left.digest, left.tags) != (right.digest, right.tags):
            return left.title
    if len(mine) != len(theirs):
        return f"its number of code cells ({len(mine)} and {len(theirs)})"
    return None
