"""The file of a notebook that is edited: read, and written again with an edit in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from mlkit.errors import NotebookError
from mlkit.frozen import dataclass
from mlkit.notebook.cells import parse_notebook
from mlkit.notebook.edits import Edited, with_edits
from mlkit.notebook.importing import FORMAT_CHECKS, missing
from mlkit.notebook.source import is_text, jupytext_document

__all__ = ["SourceFile"]

_BOM = "\ufeff"


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A notebook's file as it stood at one moment.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        What it held.
    document : mapping
        The notebook in it; of a text, as Jupytext reads it.
    """

    path: Path
    data: bytes
    document: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> SourceFile:
        """Read a `.ipynb`, or text that Jupytext reads.

        Raises
        ------
        NotebookError
            If there is no such file, or it holds no notebook.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise NotebookError(f"the notebook cannot be read ({error.strerror})", path) from None
        return cls.of(data, path)

    @classmethod
    def of(cls, data: bytes, path: Path) -> SourceFile:
        """Read what a file holds."""
        try:
            text = data.decode("utf-8").removeprefix(_BOM)
        except UnicodeDecodeError as error:
            raise NotebookError(f"the notebook is not UTF-8 ({error})", path) from None
        if is_text(path):
            document: Mapping[str, Any] = jupytext_document(_unix(text), path)
        else:
            document = parse_notebook(text, path).document
        return cls(path=path, data=data, document=document)

    @property
    def digest(self) -> str:
        """The sha256 of what it held."""
        return hashlib.sha256(self.data).hexdigest()

    def with_change(self, change: Edited) -> bytes:
        """What the file holds after an edit; all that was not edited keeps its bytes."""
        text = self.data.decode("utf-8")
        mark, text = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
        if is_text(self.path):
            new = _text_with_change(_unix(text), self.document, change.document, self.path)
            new = new.replace("\n", "\r\n") if "\r\n" in text else new
        else:
            new = with_edits(text, change)
        return (mark + new).encode("utf-8")


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _text_with_change(text: str, old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> str:
    """Put into a text what changes when Jupytext writes it; its own manner stays elsewhere."""
    before, after = written_text(old, path), written_text(new, path)
    carried = _carried(text, before, after)
    if carried is None:
        return after
    try:
        same = written_text(jupytext_document(carried, path), path) == after
    except NotebookError:
        same = False
    return carried if same else after


def written_text(document: Mapping[str, Any], path: Path) -> str:
    """Write a notebook as a text, in the form that its metadata say under `jupytext`."""
    with missing(*FORMAT_CHECKS):
        import jupytext  # a third of a second, which only a text pays
        import nbformat
    said = document.get("metadata", {}).get("jupytext", {}).get("text_representation", {})
    form = {"extension": path.suffix, "format_name": said.get("format_name")}
    notebook = nbformat.from_dict(dict(document))  # type: ignore[no-untyped-call] # untyped
    written: str = jupytext.writes(notebook, fmt=form if form["format_name"] else path.suffix)
    return written


def _carried(text: str, before: str, after: str) -> str | None:
    """Make the change from one text to another in a third one that is much like the first.

    None if a change meets lines in which the third differs from the first twice.
    """
    own, old, new = (part.splitlines(keepends=True) for part in (text, before, after))
    blocks = SequenceMatcher(None, old, own, autojunk=False).get_opcodes()
    pieces: list[str] = []
    place = 0
    for kind, old_start, old_end, new_start, new_end in SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            continue
        begin, lead = _place(blocks, old_start, is_end=False)
        end, tail = _place(blocks, old_end, is_end=True)
        if begin < place:
            return None
        pieces += own[place:begin] + old[lead:old_start]
        pieces += new[new_start:new_end] + old[old_end:tail]
        place = max(begin, end)
    return "".join(pieces + own[place:])


def _place(
    blocks: Sequence[tuple[str, int, int, int, int]], line: int, *, is_end: bool
) -> tuple[int, int]:
    """Where a line of the first text stands in the other; and the line at which that place is."""
    for kind, old_start, old_end, own_start, own_end in blocks:
        inside = old_start < line < old_end
        if kind == "equal" and (inside or line in (old_start, old_end)):
            return own_start + line - old_start, line
        if inside:
            return (own_end, old_end) if is_end else (own_start, old_start)
    for _, old_start, old_end, own_start, own_end in blocks:
        if line == old_start:
            return own_start, line
        if line == old_end:
            return own_end, line
    return 0, line
