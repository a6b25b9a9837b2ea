"""A first look at an artifact: pictures, JSON, Markdown, text, a Parquet table, a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from mlkit.errors import MissingExtraError, needing_extra
from mlkit.reports.folder_look import FolderLook, folder_look
from mlkit.reports.output_view import cut
from mlkit.reports.report_parts import format_size
from mlkit.reports.sanitise import PICTURE_KINDS, markdown_to_html, picture_uri
from mlkit.reports.svg import text

__all__ = ["preview"]

_MOST_BYTES = 2_000_000
_TEXTS = (".txt", ".csv", ".tsv", ".yaml", ".yml", ".log", ".jsonl", ".toml", ".py")
_MOST_COLUMNS = 40


def preview(path: Path, name: str) -> str:
    """Show the beginning of a file as safe HTML; empty if there is no way to show its kind.

    Of a folder the first names are shown; one of Parquet files opens as the one table that they
    are parts of.

    Parameters
    ----------
    path : Path
        The artifact.
    name : str
        Its output name, for the text that stands for a picture.
    """
    kind = path.suffix.lower()
    try:
        look = folder_look(path)
        if look is not None:
            return _folder(path, look)
        if kind == ".parquet":
            return _parquet(path)
        if kind not in {*PICTURE_KINDS, *_TEXTS, ".json", ".md"}:
            return ""
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
    except OSError as error:
        return f"<p>It cannot be read: {text(error.strerror or str(error))}.</p>"
    if kind in PICTURE_KINDS:
        return _picture(PICTURE_KINDS[kind], content, name)
    shown: Callable[[str], str] = {".json": _json, ".md": _markdown}.get(kind, _text)
    return shown(content.decode("utf-8", "replace"))


def _folder(path: Path, look: FolderLook) -> str:
    said = f"<p>{look.count}, {format_size(look.size_bytes)}: {text(look.listed)}</p>"
    return said + (_dataset(path) if look.is_table else "")


def _dataset(path: Path) -> str:
    try:
        with needing_extra("flights", "a preview of Parquet"):
            from pyarrow import dataset
    except MissingExtraError as error:
        return f"<p>It is not shown as a table: {text(str(error))}.</p>"
    try:
        table = dataset.dataset(path, format="parquet", partitioning="hive")
        return _columns(list(table.schema.names), table.count_rows())
    except (OSError, ValueError) as error:  # pyarrow's own errors are among them
        return f"<p>It cannot be read as one table: {text(str(error))}.</p>"


def _picture(kind: str, content: bytes, name: str) -> str:
    address = picture_uri(kind, content)
    if address is None:
        return "<p>The picture is too large to show here.</p>"
    words = name.replace("_", " ")
    return f'<img src="{address}" alt="{text(words)}" style="max-width: 100%">'


def _json(content: str) -> str:
    try:
        return _text(json.dumps(json.loads(content), indent=2, ensure_ascii=False))
    except ValueError:
        return _text(content)


def _markdown(content: str) -> str:
    return markdown_to_html(content, top=4) or _text(content)


def _text(content: str) -> str:
    shown, note = cut(content)
    more = f"<p>{text(note)}</p>" if note else ""
    return f'<div class="mlkit-scroll tall" tabindex="0"><pre>{text(shown)}</pre></div>{more}'


def _parquet(path: Path) -> str:
    try:
        with needing_extra("flights", "a preview of Parquet"):
            import pyarrow.parquet as pq
    except MissingExtraError as error:
        return f"<p>It is not shown: {text(str(error))}.</p>"
    try:
        file = pq.ParquetFile(path)
    except (OSError, ValueError) as error:
        return f"<p>It cannot be read: {text(str(error))}.</p>"
    with file:
        names, rows = list(file.schema_arrow.names), file.metadata.num_rows
    return _columns(names, rows)


def _columns(names: list[str], rows: int) -> str:
    shown = ", ".join(names[:_MOST_COLUMNS])
    more = f" and {len(names) - _MOST_COLUMNS} more" if len(names) > _MOST_COLUMNS else ""
    return f"<p>{rows:,} rows, {len(names)} columns: {text(shown + more)}</p>"
