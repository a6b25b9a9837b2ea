"""What the processes of a submission hold: bounded by a control group where one can be made.

A control group counts everything, by itself: private and shared pages, memory files that no
process maps, files in the private folders, and the kernel's own structures. Where none can be made,
what can be seen from outside is added up; pages that processes share are then counted once
(proportional set sizes), memory files by the descriptors that hold them, and what waits in sockets
by the lists of the sandbox's own network, where those stand too that no descriptor holds.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlkit.frozen import dataclass

__all__ = ["MemoryGroup", "files_in", "held_bytes"]

# What a pipe or a socket may keep on its way (Linux's defaults, a socket twice that if it asks; a
# sender is charged more than it sends), and what a file in memory takes beside its content.
PIPE_BYTES = 64 * 1024
SOCKET_BYTES = 2 * 208 * 1024
FILE_BYTES = 1024
PATIENCE_S = 2.0  # killed processes leave their group a moment after they have been waited for

_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class MemoryGroup:
    """A control group for the memory of one submission.

    Parameters
    ----------
    folder : Path
        Its folder in the file system of control groups.
    unified : bool
        Whether it belongs to version 2.
    """

    folder: Path
    unified: bool

    @classmethod
    def make(cls, limit_bytes: int) -> MemoryGroup | None:
        """Make a group below this process's own; None where that is not to be had."""
        for parent, unified in _parents():
            _sweep(parent)
            group = cls(folder=parent / f"mlkit-{os.getpid()}-{next(_numbers)}", unified=unified)
            if group._set_up(limit_bytes):
                return group
        return None

    def _set_up(self, limit_bytes: int) -> bool:
        limit, swap = (
            ("memory.max", "memory.swap.max")
            if self.unified
            else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        )
        try:
            if self.unified:
                control = self.folder.parent / "cgroup.subtree_control"
                if "memory" not in control.read_text(encoding="ascii").split():
                    control.write_text("+memory", encoding="ascii")
            self.folder.mkdir()
        except OSError:
            return False
        try:
            (self.folder / limit).write_text(str(limit_bytes), encoding="ascii")
        except OSError:
            self.remove()
            return False
        with contextlib.suppress(OSError):  # not every machine counts swapped pages
            (self.folder / swap).write_text(
                "0" if self.unified else str(limit_bytes), encoding="ascii"
            )
        return True

    def take_in(self, pid: int) -> bool:
        """Take a process in; its children follow. False if that is refused."""
        try:
            (self.folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
        except OSError:
            return False
        return True

    def is_exceeded(self) -> bool:
        """Whether the operating system had to end a process for want of memory."""
        name = "memory.events" if self.unified else "memory.oom_control"
        try:
            lines = (self.folder / name).read_text(encoding="ascii").splitlines()
        except OSError:
            return False
        return any(line.split()[0] == "oom_kill" and line.split()[1] != "0" for line in lines)

    def remove(self) -> None:
        """Remove the group, whose processes have ended or are just ending."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.01)
            else:
                return


def _sweep(parent: Path) -> None:
    """Remove the groups of graders that were killed; one that is not empty cannot be removed."""
    for left in parent.glob("mlkit-*-*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            with contextlib.suppress(OSError):
                left.rmdir()


def _parents() -> Iterator[tuple[Path, bool]]:
    """The folders of this process's own groups that count memory, and whether they are unified."""
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        own = {names: path for _, names, path in (line.split(":", 2) for line in groups)}
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for mount in mounts:
        _, place, kind, options, *_rest = mount.split(" ")
        if kind == "cgroup2" and "" in own:
            at = Path(place) / own[""].lstrip("/")
            yield at, True
            yield at.parent, True
        if kind == "cgroup" and "memory" in options.split(","):
            mine = next((path for names, path in own.items() if "memory" in names.split(",")), "/")
            yield Path(place) / mine.lstrip("/"), False


def held_bytes(members: Iterable[int], folders: Iterable[Path], network: int | None = None) -> int:
    """What processes hold, as far as it can be seen from outside.

    Parameters
    ----------
    members : iterable of int
        The processes.
    folders : iterable of Path
        Their private folders in memory.
    network : int, optional
        A process whose network is theirs alone; without one, sockets are counted by descriptors.
    """
    members = list(members)
    kept: dict[tuple[int, int], int] = {}
    for pid in members:
        kept |= _kept(pid, sockets=network is None)
    return (
        sum(map(_proportional_bytes, members))
        + sum(kept.values())
        + sum(_folder_bytes(folder) for folder in folders)
        + (0 if network is None else _waiting_bytes(network))
    )


def _waiting_bytes(pid: int) -> int:
    """What waits in the sockets of a process's network, those that nobody has accepted included.

    See proc_net(5), and Documentation/networking/proc_net_tcp.rst of Linux for the queues.
    """
    folder = Path(f"/proc/{pid}/net")
    total = SOCKET_BYTES * len(_lines_of(folder / "unix"))
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in _lines_of(folder / name):
            total += sum(int(queue, 16) for queue in line.split()[4].split(":"))
    return total


def _lines_of(table: Path) -> list[str]:
    """The lines of a table below its titles; none of one that is not there."""
    try:
        return table.read_text(encoding="ascii", errors="replace").splitlines()[1:]
    except OSError:
        return []


def _proportional_bytes(pid: int) -> int:
    """Private pages, and this process's part of the shared ones; program files do not count."""
    wanted = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(wanted))


def _kept(pid: int, *, sockets: bool) -> dict[tuple[int, int], int]:
    """Memory files, pipes and, if asked for, sockets that a process holds by a descriptor.

    Inode → bytes.
    """
    found: dict[tuple[int, int], int] = {}
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - names are all we need
    except OSError:
        return found
    for number in numbers:
        place = f"/proc/{pid}/fd/{number}"
        try:
            status = os.stat(place)  # noqa: PTH116 - what it leads to may have no path
            if stat.S_ISFIFO(status.st_mode):
                found[status.st_dev, status.st_ino] = PIPE_BYTES
            elif stat.S_ISSOCK(status.st_mode) and sockets:
                found[status.st_dev, status.st_ino] = SOCKET_BYTES
            elif os.readlink(place).startswith("/memfd:"):  # noqa: PTH115 - as above
                found[status.st_dev, status.st_ino] = status.st_blocks * 512
        except OSError:
            continue
    return found


def _folder_bytes(folder: Path) -> int:
    """What a folder in memory takes, deleted files that are still open included."""
    try:
        told = os.statvfs(folder)
    except OSError:
        return 0
    return (told.f_blocks - told.f_bfree) * told.f_frsize + _files(told) * FILE_BYTES


def files_in(folders: Iterable[Path]) -> int:
    """How many files and folders some folders in memory hold, deleted but open ones included."""
    total = 0
    for folder in folders:
        with contextlib.suppress(OSError):
            total += _files(os.statvfs(folder))
    return total


def _files(told: os.statvfs_result) -> int:
    return told.f_files - told.f_ffree
