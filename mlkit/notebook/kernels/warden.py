"""The warden: a small process that outlives its driver by a moment, to end what the driver started.

It runs by its path under `python -I -S` and needs the standard library only. Its standard input is
a pipe of which the driver alone holds the other end. A line `+PGID` puts a process group under
watch, `-PGID` releases it. When the driver has died, however it died, the warden kills every
watched group and every process whose environment carries the driver's token, and removes the
driver's folder of sockets.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["LEASH", "holders", "kill_group", "main", "sweep"]

LEASH = "MLKIT_LEASH"
SWEEPS = 200
PAUSE_S = 0.01


def holders(token: str) -> Iterator[int]:
    """Find the processes whose environment carries `token`.

    Parameters
    ----------
    token : str
        A driver's token, or the longer one of one of its kernels.

    Yields
    ------
    int
        The process id of each, without this process; none where there is no `/proc`.
    """
    mark = f"{LEASH}={token}".encode()
    for entry in os.scandir("/proc") if Path("/proc/self/environ").exists() else ():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environ = Path(entry.path, "environ").read_bytes()
            except OSError:  # it has ended, or belongs to somebody else
                continue
            if environ.startswith(mark) or b"\0" + mark in environ:
                yield int(entry.name)


def kill_group(group: int) -> None:
    """Kill a process group with SIGKILL; one that is gone already is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def sweep(token: str, groups: Iterable[int] = ()) -> int:
    """Kill groups and every holder of a token, until there is none left.

    Parameters
    ----------
    token : str
        See `holders`.
    groups : iterable of int
        Process groups to kill first.

    Returns
    -------
    int
        How many processes held the token at the first look.
    """
    for group in groups:
        kill_group(group)
    found = 0
    for attempt in range(SWEEPS):
        alive = list(holders(token))
        found = found or len(alive)
        if not alive:
            break
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE_S if attempt else 0)
    return found


def watch(source: int, driver: int) -> set[int]:
    """Read orders until the driver is gone; return the groups that were under watch then."""
    groups: set[int] = set()
    rest = b""
    poller = select.poll()
    poller.register(source, select.POLLIN)
    if hasattr(os, "pidfd_open"):
        try:
            poller.register(os.pidfd_open(driver), select.POLLIN)
        except ProcessLookupError:
            return groups
    while True:
        ready = dict(poller.poll())
        if source not in ready:
            return groups
        chunk = os.read(source, 65536)
        if not chunk:
            return groups
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))


def main(driver: int, token: str, folder: str) -> None:
    """Watch over one driver to its end, then tidy up after it."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    groups = watch(0, driver)
    sweep(token, groups)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
