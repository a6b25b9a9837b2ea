"""Which processes of this user fork kernels now."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from mlkit.frozen import dataclass
from mlkit.notebook.kernels.process_memory import memory_of
from mlkit.notebook.kernels.warden import LEASH
from mlkit.notebook.kernels.warm_zygotes import warm_zygotes

__all__ = ["ZygoteSeen", "live_zygotes"]

_PROGRAM = b"mlkit_zygote.forking_loop"
_MARK = re.compile(rb"(?:^|\0)%s=[^\0]*\.0{8}(?:\0|$)" % LEASH.encode())


@dataclass(frozen=True, kw_only=True)
class ZygoteSeen:
    """A process that has imported ahead, and forks kernels.

    Parameters
    ----------
    pid : int
        Its number.
    driver : int, optional
        The process that has started it, and that it ends with; None if it outlives its runs.
    kernels : int
        How many kernels it has forked that are alive.
    memory_bytes : int
        What it holds; of what its kernels share its part.
    is_warm : bool
        Whether it outlives the run that has started it.
    until : float, optional
        When it ends if no run comes, in seconds since 1970; None if one uses it.
    """

    pid: int
    driver: int | None
    kernels: int
    memory_bytes: int
    is_warm: bool = False
    until: float | None = None

    def shown(self) -> dict[str, Any]:
        """What people and programs are told."""
        return dict(vars(self))


def live_zygotes() -> tuple[ZygoteSeen, ...]:
    """Find the zygotes of this user; none where there is no `/proc`.

    The kernels that a zygote has forked bear its name and are its children. One that is kept has
    lost its parent, but carries a mark of its own.
    """
    parents = {pid: parent for pid in _pids() if (parent := _parent_of_zygote(pid))}
    waits = {each.pid: each.until for each in warm_zygotes()}
    return tuple(
        ZygoteSeen(
            pid=pid,
            driver=None if _may_stay(pid) else parent,
            kernels=sum(each == pid for each in parents.values()),
            memory_bytes=memory_of(pid),
            is_warm=_may_stay(pid),
            until=waits.get(pid),
        )
        for pid, parent in sorted(parents.items())
        if parent not in parents and _carries_first_mark(pid)
    )


def _may_stay(pid: int) -> bool:
    """Whether a zygote outlives its runs, wherever its door is: it has a folder of its own."""
    try:
        orders = Path("/proc", str(pid), "cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2]
        return json.loads(orders)[-1] is not None
    except (OSError, ValueError):
        return False


def _pids() -> list[int]:
    proc = Path("/proc")
    if not proc.is_dir():
        return []
    return [int(entry.name) for entry in os.scandir(proc) if entry.name.isdigit()]


def _parent_of_zygote(pid: int) -> int:
    """The parent of a process that runs a zygote's program; 0 if it is another, or others'."""
    place = Path("/proc", str(pid))
    try:
        if place.stat().st_uid != os.geteuid():
            return 0
        if _PROGRAM not in (place / "cmdline").read_bytes():
            return 0
        return int((place / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _carries_first_mark(pid: int) -> bool:
    """Whether a process carries the mark that a driver gives its zygote; kernels have others."""
    try:
        return _MARK.search(Path("/proc", str(pid), "environ").read_bytes()) is not None
    except OSError:
        return False
