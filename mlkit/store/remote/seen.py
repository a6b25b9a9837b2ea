"""Which versions of files behind a URL were taken in already."""

from __future__ import annotations

import contextlib
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
        # One that is damaged is as none: then all is taken in once more.
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = json.loads(self.path.read_text(encoding="utf-8"))
            self.marks = found if isinstance(found, dict) else {}

    def news(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those that were written since."""
        return [entry for entry in entries if self.marks.get(entry.name) != entry.mark]

    def keep(self, entries: Iterable[Entry]) -> None:
        """Remember these versions."""
        self._write({**self.marks, **{entry.name: entry.mark for entry in entries}})

    def forget(self, names: Iterable[str]) -> None:
        """Remember nothing of these files."""
        gone = set(names)
        self._write({name: mark for name, mark in self.marks.items() if name not in gone})

    def _write(self, marks: dict[str, str]) -> None:
        if marks != self.marks:
            self.marks = marks
            write_json(marks, self.path)
