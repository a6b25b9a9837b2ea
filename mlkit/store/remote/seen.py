"""Which versions of files behind a URL were taken in already."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from mlkit.store.remote.files import Entry
from mlkit.store.writing import write_json

__all__ = ["Seen"]

_FILE = ".seen.json"


class Seen:
    """The versions that a working copy has taken in.

    Parameters
    ----------
    folder : Path
        The working copy.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE
        self.marks: dict[str, str] = {}
        if self.path.is_file():
            self.marks = json.loads(self.path.read_text(encoding="utf-8"))

    def news(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those that were written since."""
        return [entry for entry in entries if self.marks.get(entry.name) != entry.mark]

    def keep(self, entries: Iterable[Entry]) -> None:
        """Remember these versions."""
        marks = {**self.marks, **{entry.name: entry.mark for entry in entries}}
        if marks != self.marks:
            self.marks = marks
            write_json(marks, self.path)
