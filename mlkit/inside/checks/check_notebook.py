"""Find a check in the notebook that the learner works in, and read it. Standard library only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.inside.checks.check_facts import CheckSpec, read_facts
from mlkit.inside.checks.check_roles import role_of

__all__ = ["cell_text", "check_from_cell", "find_notebook", "is_hidden", "known_id"]


def cell_text(cell: Mapping[str, Any]) -> str:
    """A cell's source as one string, however the file holds it."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def known_id(cell: Mapping[str, Any]) -> str:
    """A cell's id, or the one that its metadata remember; empty if there is neither."""
    metadata = _metadata(cell)
    about = metadata.get("mlkit", {})
    marked = about.get("id") if isinstance(about, dict) else ""
    return str(marked or cell.get("id") or metadata.get("id") or "")  # Colab's are in the metadata


def _metadata(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = cell.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def is_hidden(cell: Mapping[str, Any]) -> bool:
    """Whether a cell exists in the grader's copy only."""
    return "hidden" in _metadata(cell).get("tags", ())


def check_from_cell(cell: Mapping[str, Any]) -> CheckSpec:
    """Read a check cell of a solution or of an untouched exercise.

    What it should print is `expected` in its metadata (exercises), else its reference output
    (solutions).
    """
    about = _metadata(cell).get("mlkit", {})
    return CheckSpec(
        id=known_id(cell),
        source=cell_text(cell),
        title=str(about.get("title", known_id(cell))),
        points=about.get("points", 0),
        hidden=is_hidden(cell),
        answers=tuple(about.get("answers", ())),
        expected=about.get("expected") or read_facts(_printed(cell)) or {},
        accept=about.get("accept", {}),
        tolerance=float(about.get("tolerance", 1e-9)),
        misconceptions=tuple(about.get("misconceptions", ())),
        otherwise=str(about.get("otherwise", "")),
        hints=tuple(about.get("hints", ())),
        witness=about.get("witness", {}),
    )


def _printed(cell: Mapping[str, Any]) -> str:
    """The standard output that is stored in a cell."""
    texts = (
        output.get("text", "")
        for output in cell.get("outputs", ())
        if output.get("output_type") == "stream" and output.get("name") == "stdout"
    )
    return "".join(text if isinstance(text, str) else "".join(text) for text in texts)


def find_notebook(check_id: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The notebook that holds a check: the one being worked in, else one in or near a folder.

    Parameters
    ----------
    check_id : str
        The check cell's id.
    folder : Path
        Where to look: it, and its `exercises/`.

    Returns
    -------
    tuple of Path and dict
        The notebook's file and its content.

    Raises
    ------
    GradingError
        If no notebook there has such a cell.
    """
    for path in _candidates(folder):
        try:
            notebook = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError):
            continue
        cells = notebook.get("cells") if isinstance(notebook, dict) else None
        sound = isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells)
        if sound and any(_is_called(cell, check_id) for cell in cells or ()):
            return path, notebook
    raise GradingError(
        f"no notebook in {folder} has a check {check_id!r}",
        remedy="Run the notebook in its own folder, and leave the ids of its cells as they are.",
    )


def _is_called(cell: Mapping[str, Any], name: str) -> bool:
    return known_id(cell) == name or name in role_of(cell).names


def _candidates(folder: Path) -> Iterator[Path]:
    """Jupyter says in an environment variable which notebook a kernel belongs to."""
    import __main__  # the kernel's own, which it may set after this module was imported

    named = getattr(__main__, "__vsc_ipynb_file__", None)  # VS Code says it so
    if isinstance(named, str):
        yield Path(named)
    session = os.environ.get("JPY_SESSION_NAME", "")
    if session.endswith(".ipynb"):
        yield Path(session)
    yield from sorted(folder.glob("*.ipynb"))
    yield from sorted((folder / "exercises").glob("*.ipynb"))
