"""Run one command and print what it took; a program of its own, started for each measurement.

Called as `python -S clock.py MEMORY COMMAND...`, it prints one JSON object on its last line: wall
seconds, CPU seconds of the command, of everything that it started and of what was waiting for it
in the user's runtime folder, bytes that the command itself has written, its exit status, and, if
MEMORY is 1, the peak of the memory of the whole family, with shared pages counted in shares (the
sum of PSS).
"""

from __future__ import annotations

import contextlib
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
LAST_WORK_S = 3.0
"""How long what stays is given to collect the kernels of the command."""


def written_bytes(account: IO[str]) -> int:
    """What a process, dead but not yet collected, has given to write(2).

    Its `/proc/PID/io` was opened while it lived: that of a dead one is root's to open.
    """
    for line in account.read().splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    return 0


def waiting() -> list[int]:
    """Processes that an earlier run has left in the runtime folder: they work for this one, too."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    found = []
    for entry in Path("/proc").iterdir() if runtime else ():
        try:
            # Its kernels bear its name; their parent does, too.
            if entry.name.isdigit() and b"mlkit_zygote" in (entry / "cmdline").read_bytes():
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                inner = b"mlkit_zygote" in Path("/proc", parent, "cmdline").read_bytes()
                if not inner and str((entry / "cwd").readlink()).startswith(runtime):
                    found.append(int(entry.name))
        except OSError:
            continue
    return found


def cpu_ticks(pid: int) -> int:
    """What a process has used, with those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def children_of(pid: int) -> str:
    """The children of a process."""
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return ""


def family() -> list[int]:
    """All descendants of this process; orphans count, for this process adopts them.

    So does what was waiting for the command.
    """
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    new = list({*parents.get(os.getpid(), []), *waiting()})
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
    before = {pid: cpu_ticks(pid) for pid in waiting()}
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
    stay = waiting()
    until = time.monotonic() + LAST_WORK_S
    while any(children_of(pid) for pid in stay) and time.monotonic() < until:
        time.sleep(PAUSE_S / 10)
    ticks = sum(cpu_ticks(pid) - before.get(pid, 0) for pid in stay)
    for pid in set(family()) - set(stay):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = {
        "wall_s": wall_s,
        "cpu_s": used.ru_utime + used.ru_stime + ticks / os.sysconf("SC_CLK_TCK"),
        "peak_bytes": peak[0],
        "written_bytes": written,
        "status": status,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
