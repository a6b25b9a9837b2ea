"""What the report shows of the artifacts themselves: pictures, folders, Markdown summaries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlkit.core.record import RunRecord
from mlkit.core.states import SUCCESSFUL
from mlkit.frozen import dataclass
from mlkit.reports.folder_look import folder_look
from mlkit.reports.output_view import Budget
from mlkit.reports.report_parts import StageView, format_size
from mlkit.reports.sanitise import PICTURE_KINDS, markdown_to_html, picture_uri

__all__ = [
    "FolderView",
    "NoteView",
    "PictureView",
    "folders",
    "inline_pictures",
    "notes",
    "pictures",
]

_MOST_NOTE_BYTES = 50_000
_MOST_INLINE = 24


@dataclass(frozen=True, kw_only=True)
class NoteView:
    """A Markdown artifact as safe HTML, and the stage that wrote it."""

    stage: str
    html: str


@dataclass(frozen=True, kw_only=True)
class PictureView:
    """A picture among the artifacts, or one that a notebook drew; `anchor` leads to the latter."""

    address: str
    alternative: str
    caption: str
    anchor: str = ""


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


def inline_pictures(
    stages: Sequence[StageView], known: Sequence[PictureView], budget: Budget
) -> tuple[PictureView, ...]:
    """Give the pictures that notebooks drew and that are not among the artifacts already.

    Parameters
    ----------
    stages : sequence of StageView
        The stages with their notebooks.
    known : sequence of PictureView
        Those among the artifacts: a plot that was saved and shown, byte for byte, comes once.
    budget : Budget
        What pictures may bring into the page; these come into it a second time.
    """
    seen = {picture.address for picture in known}
    found: list[PictureView] = []
    for stage in stages:
        for cell in stage.notebook.cells if stage.notebook is not None else ():
            for output in cell.outputs:
                address = output.address
                if not address or address in seen or not budget.take(len(address)):
                    continue
                seen.add(address)
                place = f"cell {cell.number}" if cell.number is not None else "the injected cell"
                found.append(
                    PictureView(
                        address=address,
                        alternative=output.alternative,
                        caption=f"{stage.id}: drawn in {place}",
                        anchor=stage.anchor,
                    )
                )
    return tuple(found[:_MOST_INLINE])


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
