"""What the report shows of the artifacts themselves: pictures, folders, Markdown summaries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlkit.core.record import RunRecord
from mlkit.core.states import SUCCESSFUL
from mlkit.reports.folder_look import folder_look
from mlkit.reports.output_view import Budget
from mlkit.reports.report_parts import format_size
from mlkit.reports.sanitise import PICTURE_KINDS, markdown_to_html, picture_uri

__all__ = ["FolderView", "NoteView", "PictureView", "folders", "notes", "pictures"]

_MOST_NOTE_BYTES = 50_000


@dataclass(frozen=True, kw_only=True)
class NoteView:
    """A Markdown artifact as safe HTML, and the stage that wrote it."""

    stage: str
    html: str


@dataclass(frozen=True, kw_only=True)
class PictureView:
    """A picture among the artifacts."""

    address: str
    alternative: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class FolderView:
    """A folder among the artifacts: who wrote it, and the first look at it."""

    stage: str
    output: str
    count: str
    size: str
    listed: str


def folders(record: RunRecord) -> tuple[FolderView, ...]:
    """Look at the folders among the artifacts, in the order of the stages."""
    return tuple(
        FolderView(
            stage=item.id,
            output=f"{name} ({Path(artifact.path).name}/)",
            count=look.count,
            size=format_size(look.size_bytes),
            listed=look.listed,
        )
        for item in record.stages.values()
        for name, artifact in item.artifacts.items()
        if artifact.is_folder and (look := folder_look(Path(artifact.path))) is not None
    )


def notes(record: RunRecord) -> tuple[NoteView, ...]:
    """Render the Markdown files among the artifacts of the stages that succeeded."""
    found = []
    for item in record.stages.values():
        for artifact in item.artifacts.values() if item.status in SUCCESSFUL else ():
            path = Path(artifact.path)
            if path.suffix.lower() == ".md" and artifact.size_bytes <= _MOST_NOTE_BYTES:
                text = _bytes(path).decode("utf-8", "replace")
                if html := markdown_to_html(text, top=3):
                    found.append(NoteView(stage=item.id, html=html))
    return tuple(found)


def pictures(record: RunRecord, budget: Budget) -> tuple[PictureView, ...]:
    """Embed the pictures among the artifacts, as far as the budget goes."""
    return tuple(_pictures(record, budget))


def _pictures(record: RunRecord, budget: Budget) -> Iterator[PictureView]:
    for item in record.stages.values():
        for name, artifact in item.artifacts.items():
            path = Path(artifact.path)
            kind = PICTURE_KINDS.get(path.suffix.lower())
            if kind is None or not budget.can_take(artifact.size_bytes * 4 // 3):
                continue
            address = picture_uri(kind, _bytes(path))
            if address is not None and budget.take(len(address)):
                words = re.sub(r"[_-]+", " ", name)
                yield PictureView(
                    address=address,
                    alternative=f"{words}, drawn by stage {item.id}",
                    caption=f"{item.id}: {words} ({path.name})",
                )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
