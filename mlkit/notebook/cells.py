"""Read a notebook's cells as plain values, without importing nbformat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlkit.core.left_by_git import remedy_for_what_git_left
from mlkit.errors import NotebookError
from mlkit.frozen import dataclass
from mlkit.notebook.injection import INJECTED_TAG

__all__ = ["Cell", "NotebookSource", "parse_document", "parse_notebook"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell.

    Parameters
    ----------
    index : int
        Its place in the notebook, from 0.
    id : str
        Its id; `cell-INDEX` in notebooks too old to have ids.
    kind : str
        code, markdown or raw.
    source : str
        Its text.
    tags : frozenset of str
        Its tags.
    line : int, optional
        The line of its text in the file, from 1; None where the file is JSON.
    """

    index: int
    id: str
    kind: str
    source: str
    tags: frozenset[str] = frozenset()
    line: int | None = None

    @property
    def digest(self) -> str:
        """The sha256 of its text, as hexadecimal digits; blank lines at its end are none of it.

        They do nothing, and no text of Jupytext's keeps them; but to a cell magic they are data.
        """
        is_magic = self.source.lstrip().startswith("%%")
        text = self.source if is_magic else self.source.rstrip("\n")
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def is_injected(self) -> bool:
        """Whether an earlier execution put it there: the next one leaves it out."""
        return INJECTED_TAG in self.tags

    @property
    def title(self) -> str:
        """How to name it to a person: its number from 1 and its first line."""
        first = next((line.strip() for line in self.source.splitlines() if line.strip()), "")
        return f"cell {self.index + 1} ({first[:60]})" if first else f"cell {self.index + 1}"


@dataclass(frozen=True, kw_only=True)
class NotebookSource:
    """A notebook as it stands on the disk: its path, its cells and its whole document."""

    path: Path
    cells: tuple[Cell, ...]
    document: Mapping[str, Any]

    @property
    def code_cells(self) -> tuple[Cell, ...]:
        """The code cells that hold anything and are executed, in order."""
        code = (cell for cell in self.cells if cell.kind == "code" and cell.source.strip())
        return tuple(cell for cell in code if not cell.is_injected)

    @property
    def language(self) -> str | None:
        """The language that it says it is written in; None if it does not say."""
        metadata = self.document.get("metadata", {})
        for key, name in (("kernelspec", "language"), ("language_info", "name")):
            said = metadata.get(key)
            language = said.get(name) if isinstance(said, dict) else None
            if language is not None:
                is_python = str(language).lower() in ("python", "python3", "ipython")
                return "python" if is_python else str(language)
        return None

    def tagged(self, tag: str) -> tuple[Cell, ...]:
        """The code cells that carry a tag."""
        return tuple(cell for cell in self.cells if cell.kind == "code" and tag in cell.tags)


def parse_notebook(text: str, path: Path) -> NotebookSource:
    """Read a notebook of format 4 from its JSON; `path` names it in errors."""
    if not text.strip():
        raise NotebookError(
            "the notebook is an empty file",
            path,
            remedy="Make a notebook in JupyterLab",
            code="E301",
        )
    try:
        document = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", None)
        fact, remedy = f"the notebook is not valid JSON ({error})", remedy_for_what_git_left(text)
        raise NotebookError(fact, path, line, remedy, "E301") from None
    except RecursionError:
        raise NotebookError("the notebook is nested too deeply", path, code="E301") from None
    return parse_document(document, path)


def parse_document(document: Any, path: Path) -> NotebookSource:
    """Read a notebook of format 4 from its document; `path` names it in errors.

    Raises
    ------
    NotebookError
        If it is no notebook.
    """
    if not isinstance(document, dict) or document.get("nbformat") != 4:
        raise NotebookError(
            "this is not a notebook of format 4",
            path,
            remedy="Open it in JupyterLab and save it, or use 'jupyter nbconvert --to notebook'",
            code="E301",
        )
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise NotebookError("the notebook has no list of cells", path, code="E301")
    if not isinstance(document.get("metadata", {}), dict):
        raise NotebookError("the notebook's metadata are broken", path, code="E301")
    return NotebookSource(
        path=path,
        cells=tuple(_cell(index, cell, path) for index, cell in enumerate(cells)),
        document=document,
    )


def _cell(index: int, cell: Any, path: Path) -> Cell:
    source = cell.get("source", "") if isinstance(cell, dict) else None
    if isinstance(source, list) and all(isinstance(part, str) for part in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise NotebookError(f"cell {index + 1} of the notebook is broken", path, code="E301")
    kind, metadata = cell.get("cell_type"), cell.get("metadata", {})
    if kind not in ("code", "markdown", "raw"):
        raise NotebookError(
            f"cell {index + 1} of the notebook is of the unknown kind {kind!r}",
            path,
            code="E301",
        )
    if not isinstance(metadata, dict):
        raise NotebookError(
            f"cell {index + 1} of the notebook has broken metadata", path, code="E301"
        )
    tags = metadata.get("tags") or []
    if not isinstance(tags, list):
        raise NotebookError(
            f"cell {index + 1} of the notebook has {tags!r} for its tags, which must be a list",
            path,
            code="E301",
        )
    return Cell(
        index=index,
        id=str(cell.get("id") or f"cell-{index}"),
        kind=kind,
        source=source,
        tags=frozenset(map(str, tags)),
    )
