"""Run one command and print what it took; a program of its own, started for each measurement.

Called as `python -S clock.py MEMORY COMMAND...`, it prints one JSON object on its last line: wall
seconds, CPU seconds of the command and of everything that it started, bytes that the command
itself has written, its exit status, and, if MEMORY is 1, the peak of the memory of the whole
family, with shared pages counted in shares (the sum of PSS).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

PR_SET_CHILD_SUBREAPER = 36
PAUSE_S = 0.1


def written_bytes(account: IO[str]) -> int:
    """What a process, dead but not yet collected, has given to write(2).

    Its `/proc/PID/io` was opened while it lived: that of a dead one is root's to open.
    """
    for line in account.read().splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    return 0


def family() -> list[int]:
    """All descendants of this process; orphans count, for this process adopts them."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    new = parents.get(os.getpid(), [])
    while new:
        found += new
        new = [child for pid in new for child in parents.get(pid, [])]
    return found


def shared_fairly(pid: int) -> int:
    """The proportional set size of a process, in bytes."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def watch_memory(stop: threading.Event, peak: list[int]) -> None:
    """Sample the family's memory until told to stop."""
    while True:
        peak[0] = max(peak[0], sum(shared_fairly(pid) for pid in family()))
        if stop.wait(PAUSE_S):
            return


def main(with_memory: str, *command: str) -> None:
    """Run the command and print the measurement."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stop, peak = threading.Event(), [0]
    watcher = threading.Thread(target=watch_memory, args=[stop, peak])
    if with_memory == "1":
        watcher.start()
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=sys.stderr)
    with Path(f"/proc/{process.pid}/io").open() as account:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall_s = time.perf_counter() - started
        written = written_bytes(account)
    status = process.wait()
    stop.set()
    if with_memory == "1":
        watcher.join()
    left = family()
    for pid in left:
        os.waitpid(pid, os.WNOHANG)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = {
        "wall_s": wall_s,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_bytes": peak[0],
        "written_bytes": written,
        "status": status,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
