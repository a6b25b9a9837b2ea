"""The few calls to Linux that Python has no name for."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import socket
import time
from pathlib import Path

__all__ = [
    "adopt_orphans",
    "alien_threads",
    "die_with_peer",
    "environment_at_start",
    "rewrite_environ",
]

PR_SET_CHILD_SUBREAPER = 36
ENV_START, ENV_END = 47, 48  # fields 50 and 51 of /proc/self/stat, counted after the command's name

# Threads that look after themselves in a fork: jemalloc, in pyarrow, registers its own handlers.
FORK_SAFE = frozenset({"jemalloc_bg_thd"})
LINGER_S = 0.4


def die_with_peer(link: socket.socket) -> None:
    """Have the system kill this process when the other end of a socket is closed.

    It needs no thread, and works while compiled code runs. Nothing may be sent from the other end
    after this.
    """
    fcntl.fcntl(link, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(link, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(link, fcntl.F_SETFL, fcntl.fcntl(link, fcntl.F_GETFL) | os.O_ASYNC)
    ear = select.poll()
    ear.register(link, 0)  # a hang-up is told unasked
    if ear.poll(0):
        os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every orphan among one's descendants, so that none stays a zombie."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def alien_threads() -> list[str]:
    """Name the threads, besides the main one, that would not survive a fork in good order.

    OpenBLAS ends its threads in its own fork handlers, so look after a first fork. A thread that
    was joined is listed for a moment longer, on a busy machine for some hundredths of a second.
    """
    names = _threads()
    until = time.monotonic() + LINGER_S
    while names and time.monotonic() < until:
        time.sleep(LINGER_S / 20)
        names = _threads()
    return names


def _threads() -> list[str]:
    names = []
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != os.getpid():
            try:
                name = (task / "comm").read_text("utf-8", "replace").strip()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended meanwhile
            if name not in FORK_SAFE:
                names.append(name)
    return sorted(names)


def environment_at_start() -> dict[str, str]:
    """The environment that this process was given, whatever has been set in it since.

    A `sitecustomize` or a `.pth` file may have been there before any code of ours.
    """
    given = Path("/proc/self/environ").read_bytes()
    pairs = (entry.partition(b"=") for entry in given.split(b"\0") if entry)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def rewrite_environ(name: str, value: str) -> bool:
    """Change one variable in what `/proc/PID/environ` shows of this process.

    Python's `os.environ` does not reach that memory. The new value may not be longer than the old.

    Returns
    -------
    bool
        Whether the variable was found and changed.
    """
    fields = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    start, end = int(fields[ENV_START]), int(fields[ENV_END])
    block = ctypes.string_at(start, end - start)
    mark = f"{name}=".encode()
    place = 0 if block.startswith(mark) else block.find(b"\0" + mark) + 1
    if not block[place:].startswith(mark):
        return False
    stop = block.index(b"\0", place)
    text = mark + value.encode()
    if len(text) > stop - place:
        return False
    ctypes.memmove(start + place, text.ljust(stop - place, b"\0"), stop - place)
    return True


def _prctl(option: int, value: int) -> None:
    """Call prctl(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
