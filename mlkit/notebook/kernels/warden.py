"""The warden: a small process that outlives its driver by a moment, to end what the driver started.

It runs by its path under `python -I -S` and needs the standard library only. Its standard input is
a pipe of which the driver alone holds the other end. A line `+PGID` puts a process group under
watch, `-PGID` releases it; `=MARK` spares what carries that longer token: somebody else holds that
kernel now. When the driver has died, however it died, the warden kills every watched group and
every process whose environment carries the driver's token, and removes the driver's folders.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

__all__ = ["LEASH", "holders", "is_starting", "kill_group", "main", "sweep", "watch"]

LEASH = "MLKIT_LEASH"
SWEEPS = 200
PAUSE_S = 0.01
STARTING_S = 1.0
"""For how long to wait for processes of which it is not known yet what they carry."""
PIECE_BYTES = 1 << 14
VSIZE, ENV_END = 22, 50
"""Places in `/proc/PID/stat`, from 0 and without the two before the name's closing bracket."""


def holders(token: str, spared: Collection[str] = ()) -> Iterator[int]:
    """Find the processes whose environment carries `token`.

    Parameters
    ----------
    token : str
        A driver's token, or the longer one of one of its kernels.
    spared : collection of str
        The longer tokens of kernels that do not count.

    Yields
    ------
    int
        The process id of each, without this process; none where there is no `/proc`.
    """
    mark, others = _mark(token), [_mark(each) for each in spared]
    unknown = _processes()
    deadline = time.monotonic() + STARTING_S
    while unknown:
        answers = {pid: _carries(pid, mark, others) for pid in unknown}
        yield from (pid for pid, answer in answers.items() if answer)
        unknown = [pid for pid, answer in answers.items() if answer is None]
        if unknown and time.monotonic() > deadline:
            return
        time.sleep(PAUSE_S / 10 if unknown else 0)


def _processes() -> list[int]:
    if not Path("/proc/self/environ").exists():
        return []
    found = (entry.name for entry in os.scandir("/proc"))
    return [int(name) for name in found if name.isdigit() and int(name) != os.getpid()]


def _mark(token: str) -> bytes:
    return f"{LEASH}={token}".encode()


def _carries(pid: int, mark: bytes, spared: Iterable[bytes] = ()) -> bool | None:
    """Whether a process carries a mark; None while it is not known, for it is just being started.

    An empty environment says nothing: between the moment in which a program takes a process over
    and the one in which its environment stands in its memory, `/proc` shows none. `Popen` returns
    within that time, now and then.
    """
    try:
        environ = _content(f"/proc/{pid}/environ")
        if environ:
            whole = b"\0" + environ
            if any(b"\0" + other in whole for other in spared):
                return False
            return b"\0" + mark in whole
        stat = _content(f"/proc/{pid}/stat").decode("utf-8", errors="replace")
        return None if is_starting(stat) else False
    except OSError:  # it has ended, or belongs to somebody else
        return False


def _content(place: str) -> bytes:
    """All that a file holds; at each kernel's end those of all processes are read."""
    descriptor, whole = os.open(place, os.O_RDONLY | os.O_CLOEXEC), b""
    try:
        while piece := os.read(descriptor, PIECE_BYTES):
            whole += piece
        return whole
    finally:
        os.close(descriptor)


def is_starting(stat: str) -> bool:
    """Read off a process's line of `/proc/PID/stat` whether it has memory, but no environment yet.

    A thread of the kernel and a process that has ended have no memory; one that was started with
    an empty environment has a place for it.
    """
    fields = stat.rpartition(")")[2].split()
    return fields[VSIZE - 2] != "0" and fields[ENV_END - 2] == "0"


def kill_group(group: int) -> None:
    """Kill a process group with SIGKILL; one that is gone already is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def sweep(token: str, groups: Iterable[int] = (), spared: Collection[str] = ()) -> int:
    """Kill groups and every holder of a token, until there is none left.

    Parameters
    ----------
    token : str
        See `holders`.
    groups : iterable of int
        Process groups to kill first.
    spared : collection of str
        See `holders`.

    Returns
    -------
    int
        How many processes held the token at the first look.
    """
    for group in groups:
        kill_group(group)
    found, quiet = 0, 0
    for _ in range(SWEEPS):
        alive = list(holders(token, spared))
        found = found or len(alive)
        # What a dying process still starts can stand before the place that a look has reached
        # already; after one that found somebody, only two that find nobody are an answer.
        quiet = 0 if alive else quiet + 1
        if quiet == (2 if found else 1):
            break
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE_S)
    return found


def watch(source: int, driver: int) -> tuple[set[int], set[str]]:
    """Read orders until the driver is gone; give the groups under watch then, and who is spared.

    A process that the driver was about to start holds the driver's end of the pipe, too, until it
    has become another program; only then does it carry the token. So after the driver's death the
    pipe's own end is awaited, but not for long: a fork of the driver's may hold it for good.
    """
    groups: set[int] = set()
    spared: set[str] = set()
    rest = b""
    deadline = float("inf")
    poller = select.poll()
    poller.register(source, select.POLLIN)
    gone = _end_of(driver)
    if gone is None:
        deadline = time.monotonic() + STARTING_S
    elif gone >= 0:
        poller.register(gone, select.POLLIN)
    while True:
        left_s = deadline - time.monotonic()
        ready = dict(poller.poll(None if left_s == float("inf") else max(0.0, left_s) * 1000))
        if gone in ready:
            poller.unregister(gone)
            deadline = time.monotonic() + STARTING_S
        if source not in ready:
            if time.monotonic() >= deadline:
                return groups, spared
            continue
        chunk = os.read(source, 65536)
        if not chunk:
            return groups, spared
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line[:1] == b"=":
                spared.add(line[1:].decode())
            else:
                (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))


def _end_of(driver: int) -> int | None:
    """A descriptor that can be read when the driver ends; None if it has, -1 if there is none."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(driver)
    except ProcessLookupError:
        return None


def main(driver: int, token: str, *folders: str) -> None:
    """Watch over one driver to its end, then tidy up after it."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    groups, spared = watch(0, driver)
    sweep(token, groups, spared)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
