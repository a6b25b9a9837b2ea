"""What was done to some files, told by the operating system and not by the code that did it.

A check runs in the answer's own process, where an answer that wants to can tell the check anything:
the check's memory lies open to it. So a check whose very point is *how* files are written has a
witness outside: the grader makes a folder within the sandbox, lets the answer work there, and has
Linux report (inotify) what became of a file. An answer can bring about the right reports only by
writing the file in the right way.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import errno
import io
import os
import secrets
import stat
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.frozen import dataclass
from mlkit.inside.checks.check_facts import same

__all__ = ["NAME", "Seen", "Witness", "fault"]

NAME = "WITNESSED"
"""The name under which a check finds the path of the folder."""

MODIFY, MOVED_FROM, MOVED_TO = 0x2, 0x40, 0x80
CREATE, DELETE, OVERFLOW = 0x100, 0x200, 0x4000
FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
HEADER = struct.Struct("iIII")
LONGEST = 1_000_000
READ_BYTES, READS = 65536, 64
"""How much of the reports is read; the operating system keeps about 16,000, or a half megabyte."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of a folder.

    Parameters
    ----------
    changes : tuple of int
        What was done to the file that is looked at, in order, as inotify's flags.
    names : tuple of str
        What is in the folder at the end, sorted.
    text : str or None
        What stands in the file at the end; None if it is no regular file, or far too long.
    """

    changes: tuple[int, ...]
    names: tuple[str, ...]
    text: str | None


class Witness:
    """A folder that is looked at from outside.

    Parameters
    ----------
    parent : Path
        Where the folder is made, seen from here.
    files : Mapping
        What stands in it at first: name → text.
    watched : str
        The file whose changes count.

    Notes
    -----
    Nothing is looked up by a path that the answer could bend: the folder has a name that nobody
    could know before, it is opened once, and all else goes by its descriptor.
    """

    def __init__(self, parent: Path, files: Mapping[str, str], watched: str) -> None:
        self.name = f"witnessed-{secrets.token_hex(8)}"
        self._watched = watched
        above = os.open(parent, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.mkdir(self.name, dir_fd=above)
            self._folder = os.open(
                self.name, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above
            )
        finally:
            os.close(above)
        os.fchmod(self._folder, 0o777)  # for the answer's user
        for name, text in files.items():
            made = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, dir_fd=self._folder)
            with os.fdopen(made, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o666)
                file.write(text)
        self._events = _watch(self._folder)

    @staticmethod
    def is_possible() -> bool:
        """Whether the operating system reports changes of files in this way."""
        return sys.platform == "linux"

    def look(self) -> Seen:
        """What has become of the folder until now."""
        names = tuple(sorted(os.listdir(self._folder)))  # noqa: PTH208 - it has no path
        return Seen(changes=tuple(self._changes()), names=names, text=self._text())

    def _changes(self) -> Iterator[int]:
        with contextlib.suppress(BlockingIOError):
            for _ in range(READS):
                reports = os.read(self._events, READ_BYTES)
                at = 0
                while at < len(reports):
                    _, flags, _, length = HEADER.unpack_from(reports, at)
                    name = reports[at + HEADER.size : at + HEADER.size + length].rstrip(b"\0")
                    at += HEADER.size + length
                    if name == os.fsencode(self._watched) or flags & OVERFLOW:
                        yield flags
            yield OVERFLOW  # something goes on changing files faster than one can read of it

    def _text(self) -> str | None:
        """The file's text; a link, a folder, or a pipe on which one would wait, is none."""
        ways = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            opened = os.open(self._watched, ways, dir_fd=self._folder)
        except OSError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                return None
            with os.fdopen(opened, "rb", closefd=False) as file:
                content = file.read(LONGEST + 1)
        finally:
            os.close(opened)
        return None if len(content) > LONGEST else content.decode("utf-8", errors="replace")

    def close(self) -> None:
        """Look no longer; the folder ends with the sandbox."""
        os.close(self._events)
        os.close(self._folder)


def _watch(folder: int) -> int:
    """A descriptor from which reports about the files of an opened folder can be read."""
    libc = ctypes.CDLL(None, use_errno=True)
    events = int(libc.inotify_init1(FLAGS))
    if events < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    wanted = MODIFY | MOVED_FROM | MOVED_TO | CREATE | DELETE
    if libc.inotify_add_watch(events, f"/proc/self/fd/{folder}".encode(), wanted) < 0:
        os.close(events)
        raise OSError(ctypes.get_errno() or errno.EIO, "inotify_add_watch")
    return events


def fault(seen: Seen, wanted: Mapping[str, Any]) -> str:
    """Why what was seen is not what a check wants; empty if it is. Pure.

    Parameters
    ----------
    seen : Seen
        What became of the folder.
    wanted : Mapping
        `files` that stand there at first and no others at the end, and the `table` that the file
        `replaced` holds at the end, which was put in place in one step.
    """
    if not seen.changes:
        return "the file was not replaced"
    if any(flags & ~MOVED_TO for flags in seen.changes):
        return "the file was changed, removed or made anew in place"
    if list(seen.names) != sorted(wanted["files"]):
        return "other files are left behind"
    if seen.text is None or not same(_table(seen.text), wanted["table"]):
        return "the file does not hold what it should"
    return ""


def _table(text: str) -> list[list[float | str]] | None:
    """The cells of a CSV text, None if it is none; what is no number stays text."""
    try:
        return [[_number(cell) for cell in row] for row in csv.reader(io.StringIO(text))]
    except csv.Error:  # such as a cell that is longer than the module reads
        return None


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell
