"""Read what nobody trusts in a process of its own, with limits on its memory and time.

A reader runs nothing of a submission, but a text can be made to cost: aliases of aliases that
double what they mean, expressions nested by the thousand. All that it costs ends with the process.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["TooCostlyError", "bounded"]

Value = TypeVar("Value")
# Many times what the largest notebook or listing that is let in takes to read.
MEMORY_BYTES = 256 * 1024 * 1024
"""So much it may take beyond what this process has."""
TIME_S = 10.0


class TooCostlyError(Exception):
    """Reading took more memory or time than any honest text does."""


def bounded(read: Callable[[], Value], *, time_s: float = TIME_S) -> Value:
    """Call a function in a forked process and give what it gives, or raise what it raises.

    Parameters
    ----------
    read : callable
        It must need nothing but this process's memory and files: other threads are not there.
    time_s : float
        How long it may take.

    Raises
    ------
    TooCostlyError
        If it took more.
    """
    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        _answer(read, told, time_s)
    os.close(told)
    try:
        answer = _hear(heard, time_s)
    finally:
        os.close(heard)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if answer is None:
        raise TooCostlyError
    value, error = pickle.loads(answer)  # written by this very program, of its own values
    if error is not None:
        raise error
    result: Value = value
    return result


def _answer(read: Callable[[], Value], told: int, time_s: float) -> None:
    """In the forked process: read, answer, and end without the parent's farewells."""
    try:
        gc.disable()  # it would touch, and so copy, every page of the parent
        allowed = _address_space_bytes() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (allowed, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(time_s) + 1, int(time_s) + 1))
        answer: tuple[Value | None, Exception | None]
        try:
            answer = (read(), None)
        except (MemoryError, RecursionError):
            os._exit(1)
        except Exception as error:  # noqa: BLE001 - it is raised again in the parent
            answer = (None, error)
        with os.fdopen(told, "wb") as file:
            pickle.dump(answer, file)
        os._exit(0)
    finally:
        os._exit(1)


def _address_space_bytes() -> int:
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    except FileNotFoundError:  # macOS, which does not obey this limit anyway
        return resource.RLIM_INFINITY // 2
    return int(pages) * resource.getpagesize()


def _hear(heard: int, time_s: float) -> bytes | None:
    """All that comes until the process closes its end; None if that takes too long, or is cut."""
    deadline = time.monotonic() + time_s
    parts: list[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([heard], [], [], left)[0]:
            return None
        part = os.read(heard, 1 << 20)
        if not part:
            whole = b"".join(parts)
            return whole if whole.endswith(b".") else None  # pickle's last byte
        parts.append(part)
