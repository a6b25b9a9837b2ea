"""The door of a zygote that outlives its run: a named socket, by which later runs come in.

It stands in a folder of the user's own, under the digest of what a run and the zygote have to have
in common. A process that comes in is looked at from here, too: what the system says of the other
process counts, not only what that says of itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

from .asked_files import mark_of
from .identity import Identity, differences, install_facts, process_facts
from .preload import Imports

__all__ = ["Door", "peer_of", "take_lock"]

CREDENTIALS = struct.Struct("3i")
WAIT_S = 10.0
"""How long a visitor is given to say a thing; another run must not wait for a stopped one."""

LOOK_S = 30.0
"""How often it is looked whether the door is still where runs look for it."""


def peer_of(link: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end of a socket, as the system knows them."""
    pid, uid, _ = CREDENTIALS.unpack(
        link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    )
    return pid, uid


def take_lock(path: str) -> int | None:
    """Take a lock that goes with this process; None if somebody has it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(path).st_ino == os.fstat(lock).st_ino:  # noqa: PTH116 - pathlib is not imported here
            return lock  # and nobody has removed it meanwhile
    except OSError:  # somebody has it, or has just removed it
        pass
    os.close(lock)
    return None


class Door:
    """The named socket of a zygote, from its opening until it retires.

    Parameters
    ----------
    orders : dict
        Of the run that started the zygote: `place` and `key` say where the door is to be,
        `identity` what a run has to have in common with it, `idle_s` how long it waits.
    imports : Imports
        What is imported, and what the imports have read.
    """

    def __init__(self, orders: dict[str, Any], imports: Imports) -> None:
        self.identity: Identity = orders["identity"]
        self.idle_s: float = orders["idle_s"]
        self.stem = f"{orders['place']}/{orders['key']}"
        self.names: list[str] = orders["names"]
        self.listener: socket.socket | None = None
        self._imports = imports
        self._path = list(sys.path)
        self._marks = {path: mark_of(path) for path in {*imports.files(), *_mapped_libraries()}}
        self._lock: int | None = None
        self._inode = 0
        self._free_since = time.monotonic()
        self._looked = time.monotonic()

    def open(self, started_ns: int) -> bool:
        """Open it, unless something has changed since the zygote began, or there is another one."""
        fresh = all(mark and mark[2] < started_ns for mark in self._marks.values())
        if not fresh or self.changes() or self._imports.changed_files():
            return False
        try:
            self._lock = take_lock(f"{self.stem}.lock")
            if self._lock is None:
                return False
            self.listener = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(FileNotFoundError):  # of one that was killed
                os.unlink(f"{self.stem}.sock")  # noqa: PTH108 - see above
            self.listener.bind(f"{self.stem}.sock")
            self.listener.listen(16)
            self.listener.settimeout(WAIT_S)
            self._inode = os.stat(f"{self.stem}.sock").st_ino  # noqa: PTH116 - see above
            self.tell(0)
        except OSError:
            self.close()
            return False
        return True

    def changes(self) -> list[str]:
        """What is not as it was when the zygote began."""
        path = self.identity.get("variable.PYTHONPATH", "")
        now = process_facts() | install_facts(path, self._path)
        mine = {name: text for name, text in self.identity.items() if _is_computed(name)}
        return differences(mine, now)

    def admit(self) -> socket.socket | None:
        """Let in a process that knocks, if it is of the same user."""
        assert self.listener is not None
        try:
            link, _ = self.listener.accept()
        except OSError:  # it has gone again
            return None
        pid, uid = peer_of(link)
        if pid <= 0 or uid != os.geteuid():
            link.close()
            return None
        link.settimeout(WAIT_S)
        return link

    def meet(self, link: socket.socket, hello: dict[str, Any]) -> list[str]:
        """Compare a visitor with oneself; why its kernels cannot be forked here, or nothing.

        What the visitor says has to be true as far as the system tells, and what was loaded here
        has to be what a fresh interpreter would load now.
        """
        pid, _ = peer_of(link)
        own, theirs = process_facts(), process_facts(pid)
        mine = {**{k: v for k, v in self.identity.items() if not _is_seen(k)}, **own}
        reasons = differences(mine, hello["identity"])
        reasons += [f"seen {name}" for name in differences(own, theirs)]
        reasons += [f"variable {name}" for name in self._imports.names_read(hello["others"])]
        if self.is_outdated() or differences(
            own, {k: v for k, v in self.identity.items() if _is_seen(k)}
        ):
            reasons.append("outdated")
        return reasons

    def is_outdated(self) -> bool:
        """Whether a file that was loaded or asked for here is another one now."""
        if any(mark_of(path) != mark for path, mark in self._marks.items()):
            return True
        return bool(self._imports.changed_files())

    def tell(self, visitors: int) -> None:
        """Write down, for people, who it is and how long it stays."""
        self._free_since = time.monotonic()
        until = None if visitors else time.time() + self.idle_s
        document = {"pid": os.getpid(), "until": until, "names": self.names}
        part = Path(f"{self.stem}.part")
        with contextlib.suppress(OSError):  # nobody is told then
            part.write_text(json.dumps(document), encoding="utf-8")
            part.replace(f"{self.stem}.json")

    def left_s(self) -> float:
        """Seconds until it ends, or is to be looked after, if nobody comes."""
        until = min(self._free_since + self.idle_s, self._looked + LOOK_S)
        return max(0.0, until - time.monotonic())

    def is_over(self) -> bool:
        """Whether nobody has come for so long, or nobody can come any more."""
        if time.monotonic() >= self._free_since + self.idle_s:
            return True
        self._looked = time.monotonic()
        try:
            return os.stat(f"{self.stem}.sock").st_ino != self._inode  # noqa: PTH116 - see above
        except OSError:
            return True

    def close(self) -> None:
        """Retire: nobody finds it any more."""
        self.leave()
        if self._lock is not None:
            with contextlib.suppress(OSError):  # somebody has removed them
                if os.stat(f"{self.stem}.lock").st_ino == os.fstat(self._lock).st_ino:  # noqa: PTH116 - see above
                    for kind in ("sock", "json", "lock"):
                        Path(f"{self.stem}.{kind}").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def leave(self) -> None:
        """Close the socket alone."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def abandon(self) -> None:
        """Let go of it, in a kernel."""
        self.leave()
        if self._lock is not None:
            os.close(self._lock)


def _is_seen(name: str) -> bool:
    """Whether a part of an identity is what the system tells of a process."""
    return name.startswith("process.")


def _is_computed(name: str) -> bool:
    """Whether a part of an identity can be computed anew at any time."""
    return not name.startswith("variable.")


def _mapped_libraries() -> set[str]:
    """The libraries that the system has loaded here; one that was replaced has a name of none."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123 - see above
        found = {line.split(maxsplit=5)[5].strip() for line in maps if "/" in line}
    return {path for path in found if ".so" in path.rpartition("/")[2]}
