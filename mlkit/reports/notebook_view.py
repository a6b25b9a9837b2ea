"""An executed notebook as the report shows it: prose rendered, code folded, outputs made safe."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from mlkit.frozen import dataclass
from mlkit.notebook.injection import INJECTED_TAG
from mlkit.reports.output_view import Budget, OutputView, cut, joined, view_outputs
from mlkit.reports.sanitise import markdown_to_html, picture_uri

__all__ = [
    "CellView",
    "NotebookView",
    "cell_tags",
    "highlight",
    "numbered",
    "own_cells",
    "read_notebook",
    "view_notebook",
]

_MARKER = "papermill-error-cell-tag"
_MOST_CELLS = 400
_MOST_CODE = 30_000
_MOST_FILE = 60_000_000


@dataclass(frozen=True, kw_only=True)
class CellView:
    """One cell.

    Parameters
    ----------
    number : int, optional
        Its place in the stage's own notebook, from 1, cells of every kind counted; the injected one
        has none.
    kind : str
        `markdown` or `code`.
    html : str
        The prose, or the highlighted code.
    outputs : tuple of OutputView
        What it put out.
    label : str
        What the fold of its code says.
    failed : bool
        Whether it raised.
    """

    number: int | None
    kind: str
    html: str
    outputs: tuple[OutputView, ...] = ()
    label: str = ""
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class NotebookView:
    """A notebook's cells, and what had to be left out."""

    cells: tuple[CellView, ...]
    note: str = ""


def read_notebook(path: Path) -> dict[str, Any] | None:
    """Read a notebook's JSON; None if there is none, or if it is none."""
    try:
        if path.stat().st_size > _MOST_FILE:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        return None
    return content


def own_cells(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give a notebook's cells without the markers that Papermill puts before a failed cell."""
    return [
        cell
        for cell in content["cells"]
        if isinstance(cell, dict) and _MARKER not in cell_tags(cell)
    ]


def numbered(
    cells: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[Mapping[str, Any], int | None]]:
    """Give each cell its number in the stage's own notebook, from 1; the injected one has none."""
    number = 0
    for cell in cells:
        injected = INJECTED_TAG in cell_tags(cell)
        number += not injected
        yield cell, None if injected else number


def cell_tags(cell: Mapping[str, Any]) -> tuple[str, ...]:
    """Give a cell's tags; odd metadata has none."""
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tuple(map(str, tags)) if isinstance(tags, list) else ()


def highlight(code: str) -> str:
    """Colour Python code by classes that start with `hl-`; very long code stays plain."""
    if len(code) > _MOST_CODE:
        return escape(code)
    # Comparing runs reads notebooks here and colours none; Pygments ships no types.
    from pygments import highlight as colour  # type: ignore[import-untyped]
    from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

    formatter = HtmlFormatter(nowrap=True, classprefix="hl-")
    return str(colour(code, PythonLexer(stripnl=False), formatter)).rstrip("\n")


def view_notebook(content: Mapping[str, Any], name: str, budget: Budget) -> NotebookView:
    """Prepare a notebook for the page.

    Parameters
    ----------
    content : mapping
        The notebook's JSON; nothing in it is trusted.
    name : str
        The stage, for the texts that stand for its pictures.
    budget : Budget
        What its pictures may still bring into the page.
    """
    cells = own_cells(content)
    views = [
        view
        for cell, number in numbered(cells[:_MOST_CELLS])
        if (view := _cell(cell, number, name, budget)) is not None
    ]
    left_out = len(cells) - _MOST_CELLS
    note = f"{left_out:,} further cells are left out." if left_out > 0 else ""
    return NotebookView(cells=tuple(views), note=note)


def _cell(
    cell: Mapping[str, Any], number: int | None, name: str, budget: Budget
) -> CellView | None:
    source = joined(cell.get("source"))
    if cell.get("cell_type") == "markdown":
        html = markdown_to_html(source, _attachments(cell))
        html = f"<pre>{escape(cut(source)[0])}</pre>" if html is None else html
        return CellView(number=number, kind="markdown", html=html)
    if cell.get("cell_type") != "code" or not source.strip():
        return None
    raw = cell.get("outputs")
    outputs = [item for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []
    failed = any(item.get("output_type") == "error" for item in outputs)
    place = "the injected cell" if number is None else f"cell {number}"
    where = f"Plot in {place} of {name}"
    return CellView(
        number=number,
        kind="code",
        html=highlight(source.strip("\n")),
        outputs=view_outputs(outputs, where, budget),
        label=_label(cell, number, outputs, failed=failed),
        failed=failed,
    )


def _label(
    cell: Mapping[str, Any], number: int | None, outputs: list[dict[str, Any]], *, failed: bool
) -> str:
    tags = cell_tags(cell)
    what = "Parameters" if "parameters" in tags else "Code"
    what = "Injected parameters" if number is None else f"{what}, cell {number}"
    ran = cell.get("execution_count") is not None or outputs
    end = ", raised an error" if failed else "" if ran else ", did not run"
    return f"{what}{end}"


def _attachments(cell: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    attached = cell.get("attachments")
    for name, bundle in attached.items() if isinstance(attached, dict) else ():
        for kind, content in bundle.items() if isinstance(bundle, dict) else ():
            if (address := picture_uri(kind, joined(content))) is not None:
                found[name] = address
    return found
