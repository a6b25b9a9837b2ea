"""Read the cells of somebody's notebook, whatever is in that file."""

from __future__ import annotations

import codecs
import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError

__all__ = ["Cell", "read_cells"]

LARGEST_BYTES = 16 * 1024 * 1024
# Colab shows the first lines as a form and takes a cell's magic below them; IPython does not.
TITLES = re.compile(r"\A\s*(?:# ?@[^\n]*\n\s*)+(?=%%)")
# Databricks names a cell's language in its first line. IPython has no magic of that name, and would
# run nothing of the cell; `%%python` is one of its own, and means another process.
LANGUAGE = re.compile(r"\A\s*%python\b[ \t]*")

# What other files begin with, in small letters.
BEGINNINGS = (
    (b"pk\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a packed file (gzip)"),
    (b"%pdf", "a PDF"),
    (b"<!doctype", "a web page, saved in place of the notebook"),
    (b"<html", "a web page, saved in place of the notebook"),
    (b"version https://git-lfs", "a pointer of Git LFS: fetch the file with 'git lfs pull'"),
)
MARK = re.compile(rb"^<{7} ", re.MULTILINE)

Cell = Mapping[str, Any]


def read_cells(path: Path) -> list[Cell]:
    """The cells of a notebook that may be anything at all.

    Raises
    ------
    GradingError
        If it is no regular file, too large, no JSON, or no notebook; in a sentence for its author.
    """
    try:
        status = path.lstat()
    except OSError as error:
        raise GradingError(
            f"the notebook cannot be read ({error.strerror})", path, code="E802"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise GradingError(
            "the notebook is not a regular file (a link is not followed)", path, code="E802"
        )
    if status.st_size == 0:
        raise GradingError("the notebook is an empty file", path, code="E802")
    if status.st_size > LARGEST_BYTES:
        raise GradingError(
            f"the notebook is larger than {LARGEST_BYTES // 1024**2} MiB", path, code="E802"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GradingError(
            f"the notebook cannot be read ({error.strerror})", path, code="E802"
        ) from error
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError) as error:
        why = _what_else(content, error)
        raise GradingError(f"the notebook cannot be read: {why}", path, code="E802") from error
    cells = _cells_of(notebook) if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise GradingError("the file is not a notebook of format 3 or 4", path, code="E802")
    return [_cell(cell) for cell in cells if isinstance(cell, dict)]


def _what_else(content: bytes, error: Exception) -> str:
    """What a file is that should be a notebook and is no JSON; as much as its content proves."""
    for start, name in BEGINNINGS:
        if content.removeprefix(codecs.BOM_UTF8).lstrip()[: len(start)].lower() == start:
            return f"it is not valid JSON, but {name}"
    if MARK.search(content):
        return "a merge was not finished (<<<<<<<)"
    if not content.strip(b"\0"):
        return "it is not valid JSON, but zeros: the upload has failed"
    if isinstance(error, UnicodeDecodeError):
        return "it is not valid JSON in UTF-8: a program has saved it in another encoding"
    if not isinstance(error, json.JSONDecodeError):
        return "it is not valid JSON"
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string"):
        return "it is not valid JSON, for it ends in the middle: the upload was cut off"
    if not error.doc.lstrip().startswith(("{", "[")):
        return "it is not valid JSON, but text: save it as a notebook (.ipynb)"
    return f"it is not valid JSON (line {error.lineno}: {error.msg})"


def _cells_of(notebook: dict[str, Any]) -> Any:
    """What stands where its cells should; format 3 has them on sheets."""
    sheets = notebook.get("worksheets")
    if "cells" in notebook or not isinstance(sheets, list):
        return notebook.get("cells")
    held = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for cells in held if isinstance(cells, list) for cell in cells]


def _cell(cell: dict[str, Any]) -> Cell:
    """The parts that matter, in their proper types."""
    source = cell.get("source", cell.get("input", ""))  # format 3 calls a code cell's so
    lines = source if isinstance(source, list) else [source]
    text = TITLES.sub("", "".join(line for line in lines if isinstance(line, str)))
    text = LANGUAGE.sub("", text)
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    about = metadata.get("mlkit") if isinstance(metadata, dict) else None
    moved = metadata.get("id", "") if isinstance(metadata, dict) else ""  # Colab keeps ids there
    return {
        "id": str(cell.get("id", moved)),
        "mark": str(about.get("id", "")) if isinstance(about, dict) else "",
        "cell_type": cell.get("cell_type"),
        "source": text.encode("utf-8", errors="replace").decode("utf-8"),
        "tags": [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else [],
    }
