"""The summaries that stages wrote, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from mlkit.core.record import RunRecord
from mlkit.core.states import SUCCESSFUL

__all__ = ["note_lines", "plain_markdown"]

_NAME = "summary.md"
_MOST_BYTES, _MOST_LINES = 20_000, 40


def note_lines(record: RunRecord) -> list[str]:
    """Give the lines of every artifact called `summary.md` of the stages that succeeded."""
    lines: list[str] = []
    for item in record.stages.values():
        for artifact in item.artifacts.values() if item.status in SUCCESSFUL else ():
            if artifact.path.endswith(f"/{_NAME}") and artifact.size_bytes <= _MOST_BYTES:
                lines += list(plain_markdown(_read(Path(artifact.path))))[:_MOST_LINES]
    return lines


def _read(path: Path) -> str:
    """The text of a file; empty if it is gone by now."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def plain_markdown(text: str) -> Iterator[str]:
    """Write Markdown for a terminal: tables aligned, headings bare, control characters dropped."""
    table: list[list[str]] = []
    for raw in text.splitlines():
        line = "".join(c for c in raw if c.isprintable()).strip()
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        yield from _aligned(table)
        table = []
        if line:
            yield line.lstrip("#").strip()
    yield from _aligned(table)


def _aligned(table: Iterable[list[str]]) -> Iterator[str]:
    """Align a table's body; its heading and the line below it go."""
    rows = list(table)
    ruled = len(rows) > 1 and all(set(cell) <= set(":- ") for cell in rows[1])
    body = rows[2:] if ruled else rows
    width = max((len(row[0]) for row in body), default=0)
    for row in body:
        yield f"  {row[0].ljust(width)}  {'  '.join(row[1:])}".rstrip()
