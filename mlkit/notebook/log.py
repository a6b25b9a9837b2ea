"""An attempt's log: whole lines, carriage returns collapsed, secrets taken out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TextIO

from mlkit.core.scrubbing import Scrubber
from mlkit.notebook.printed_text import as_shown

__all__ = ["AttemptLog"]


class AttemptLog:
    """Writes what a notebook prints, as it prints it.

    A line that rewrites itself (a progress bar) is kept as its last state. A secret that runs over
    several lines holds everything back until the log is closed; if there is any secret, lines that
    look like base64 wait for the line that ends it.

    Parameters
    ----------
    path : Path
        The file; made at once.
    scrubber : Scrubber
        What must not appear.
    """

    def __init__(self, path: Path, scrubber: Scrubber) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8", errors="backslashreplace")
        self._scrubber = scrubber
        self._pending = ""

    def write(self, text: str) -> None:
        """Add some text, of any length."""
        self._pending += text
        if self._scrubber.spans_lines or not ("\n" in text or "\r" in text):
            return
        whole, newline, rest = self._pending.rpartition("\n")
        shown = rest.rstrip("\r")
        self._pending = shown.rpartition("\r")[2] + ("\r" if shown != rest else "")
        if newline:
            text = whole + newline
            end = _end_of_whole(text) if self._scrubber else len(text)
            self._pending = text[end:] + self._pending
            if end:
                self._put(text[:end])

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._pending:
            self._put(self._pending)
            self._pending = ""
        self._file.close()

    def _put(self, text: str) -> None:
        shown = as_shown(self._scrubber.text(text))
        self._file.write(self._scrubber.text(shown))
        self._file.flush()


_ENCODED = re.compile("[A-Za-z0-9+/=_-]{16,}")
_MOST_HELD = 200


def _end_of_whole(text: str) -> int:
    """Where lines at the end begin that may be base64 which goes on in the next line.

    A secret in it is found in the whole only. More lines than a secret can fill are not held back.
    """
    end = len(text)
    for _ in range(_MOST_HELD):
        start = text.rfind("\n", 0, max(0, end - 1)) + 1
        if not _ENCODED.fullmatch(text[start:end].rstrip("\r\n")):
            return end
        end = start
        if end == 0:
            return 0
    return len(text)
