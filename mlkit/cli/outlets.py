"""stdout and stderr as commands use them: any encoding will do, and no failure ends a command."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

from mlkit.observe.plain import writable

__all__ = ["Outlet", "hold_standard_files", "steady_streams"]


class Outlet(io.TextIOBase):
    """A stream that shows what its encoding can, and never raises.

    What becomes of the output says nothing about what was done: a full disk, a closed terminal or
    a reader that has had enough must not turn a run that succeeded into one that failed. After the
    first failure nothing more is written.

    Parameters
    ----------
    stream : text file
        Where the text goes.

    Attributes
    ----------
    trouble : OSError or ValueError or None
        What happened to it, unless its reader simply went away.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._broken = False
        self.trouble: OSError | ValueError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute in typeshed
        """The encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]  # a plain attribute in typeshed
        """What is done with characters that the encoding lacks: typer asks for it."""
        return "replace"

    def writable(self) -> bool:
        """Whatever happens to it."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The file below."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write a text, plain signs in place of those that the encoding lacks."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            if not self._broken:
                try:
                    self._stream.write(writable(text, self.encoding))
                except (OSError, ValueError) as error:
                    self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Hand everything on."""
        with self._lock:
            if not self._broken:
                try:
                    self._stream.flush()
                except (OSError, ValueError) as error:
                    self._give_up(error)

    def __del__(self) -> None:
        """Leave the stream alone: by default Python closes this here, and flushes what is gone."""

    def _give_up(self, error: OSError | ValueError) -> None:
        """Let the rest go nowhere, what is buffered too: the interpreter flushes at its end."""
        self._broken = True
        if getattr(error, "errno", None) != errno.EPIPE:
            self.trouble = error
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def hold_standard_files() -> None:
    """Open what was closed among stdin, stdout and stderr, before anything else takes its number.

    Otherwise the next file that is opened, the run database for instance, becomes "stderr", and
    whatever a library or a process writes there goes into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - a number, kept to the end


@contextlib.contextmanager
def steady_streams() -> Iterator[None]:
    """Let stdout and stderr be outlets meanwhile; a loss on stdout is told on stderr."""
    before = sys.stdout, sys.stderr
    out, err = Outlet(before[0]), Outlet(before[1])
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        out.flush()
        if out.trouble is not None:
            reason = getattr(out.trouble, "strerror", None) or str(out.trouble)
            err.write(f"mlkit: the output could not be written: {reason}.\n")
        err.flush()
        sys.stdout, sys.stderr = before
