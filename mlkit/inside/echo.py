"""Have what a kernel's own processes print told once, not twice.

ipykernel reads what is written to the file descriptors 1 and 2 (by C code, by child processes) and
sends it as a message; and it writes a copy to where these descriptors led before, so that a person
at the terminal sees it. The driver keeps both in one log, where the copy would be a repetition.
"""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["echo_again", "tell_once"]

_COPY = "_original_stdstream_copy"
_kept: list[tuple[Any, int, int]] = []


def tell_once() -> None:
    """Send the copies nowhere, as long as the driver listens to messages."""
    for stream in {sys.stdout, sys.stderr}:
        original = getattr(stream, _COPY, None)
        if not isinstance(original, int) or not getattr(stream, "_should_watch", False):
            continue
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        setattr(stream, _COPY, nowhere)
        # `subprocess.run(…, stdout=sys.stdout)` asks for it, and must not be sent nowhere
        stream.fileno = lambda original=original: original  # type: ignore[method-assign] # of this object alone
        _kept.append((stream, original, nowhere))


def echo_again() -> None:
    """Undo `tell_once`: from here on nobody listens, and what is still printed is kept so."""
    while _kept:
        stream, original, _ = _kept.pop()
        stream.flush()
        setattr(stream, _COPY, original)
        del stream.fileno
