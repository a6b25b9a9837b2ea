"""Who works on a store now: a file for each run that is alive, renewed while it lives.

Locks of this machine's file system reach no other machine. A lease that was not renewed for a
while belongs to a run that is dead. Whoever may write there tells its age by the store's clock
alone (`store_clock`): a machine whose own clock is wrong neither keeps others out nor lets them in.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlkit.errors import StoreError, UsageError
from mlkit.frozen import dataclass
from mlkit.store.remote.files import Entry, Remote
from mlkit.store.remote.store_clock import store_now

__all__ = ["CLEANING", "Holder", "held", "holders", "works_elsewhere"]

FOLDER = ".leases"
CLEANING = "cleaning"
EVERY_S = 20.0
DEAD_AFTER_S = 90.0


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a lease.

    Parameters
    ----------
    name : str
        The run, or `cleaning`.
    token : str
        Which of its holders.
    host, folder : str
        The machine, and the runs folder there.
    shared : bool
        Whether it works on the run together with others.
    work : str
        On which stage or instance of it then.
    age_s : float
        How long ago it was renewed.
    """

    name: str
    token: str
    host: str
    folder: str
    shared: bool
    work: str
    age_s: float

    def is_here(self, folder: Path) -> bool:
        """Whether it is this runs folder, whose own locks know better."""
        return (self.host, self.folder) == (socket.gethostname(), str(folder))


def holders(remote: Remote, *, only_looks: bool = False) -> list[Holder]:
    """Everybody whose lease was renewed of late.

    Parameters
    ----------
    remote : Remote
        The store.
    only_looks : bool
        Write nothing there, and take this machine's clock for the store's.
    """
    entries = remote.entries(FOLDER)
    if not entries:
        return []
    return _living(remote, entries, time.time() if only_looks else store_now(remote, FOLDER))


def _living(remote: Remote, entries: Iterable[Entry], now_s: float) -> list[Holder]:
    """Read the leases that are not too old; what a store does not date, its holder has dated."""
    written = {entry.name: entry.written_s for entry in entries}
    young = (name for name, at_s in written.items() if not at_s or _lives(now_s - at_s))
    found = []
    for path, data in remote.read_all(young).items():
        name, _, token = path.removeprefix(FOLDER + "/").rpartition("/")
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(data)
            age_s = now_s - written[path] if written[path] else time.time() - float(told["time"])
            holder = Holder(
                name=name,
                token=token,
                host=told["host"],
                folder=told["folder"],
                shared=told["shared"],
                work=told.get("work") or "",  # an older mlkit does not say
                age_s=max(0.0, age_s),
            )
            if _lives(holder.age_s):
                found.append(holder)
    return found


def _lives(age_s: float) -> bool:
    return max(0.0, age_s) < DEAD_AFTER_S


def works_elsewhere(remote: Remote, folder: Path, run_id: str, work: str) -> bool:
    """Whether another machine works on a stage or instance of a run that several work on."""
    return any(
        holder.name == run_id and holder.work == work and not holder.is_here(folder)
        for holder in holders(remote)
    )


@contextlib.contextmanager
def held(remote: Remote, name: str, folder: Path, *, work: str | None = None) -> Iterator[None]:
    """Hold a lease, and renew it until the end.

    Parameters
    ----------
    remote : Remote
        The store.
    name : str
        The run, or `cleaning`.
    folder : Path
        The runs folder of this machine.
    work : str, optional
        The stage or instance of the run that is worked on, where others may work on the same run.

    Raises
    ------
    UsageError
        If another machine works on that run, or the store is being cleaned from there.
    """
    lease = _Lease(remote, name, folder, work=work)
    lease.write()
    try:
        lease.refuse_others()
        lease.start()
        yield
    finally:
        lease.end()


class _Lease:
    """One lease, renewed by a thread."""

    def __init__(self, remote: Remote, name: str, folder: Path, *, work: str | None) -> None:
        self.remote = remote
        self.name = name
        self.folder = folder
        self.work = work
        self.token = secrets.token_hex(6)
        self._file = f"{FOLDER}/{name}/{self.token}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="mlkit-lease", daemon=True)

    def write(self) -> None:
        told = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "folder": str(self.folder),
            "shared": self.work is not None,
            "work": self.work,
            "time": time.time(),
        }
        self.remote.write(self._file, json.dumps(told).encode())

    def start(self) -> None:
        self._thread.start()

    def _renew(self) -> None:
        while not self._ended.wait(EVERY_S):
            with contextlib.suppress(StoreError):  # the run itself will say that the store is gone
                self.write()

    def end(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        with contextlib.suppress(StoreError):  # it ages away where the store is gone
            self.remote.remove([self._file])

    def refuse_others(self) -> None:
        """Written first and asked then, of two who begin at once at least one sees the other."""
        entries = self.remote.entries(FOLDER)
        now_s = max((e.written_s for e in entries if e.name == self._file), default=0.0)
        for holder in _living(self.remote, entries, now_s):
            if holder.token == self.token:
                continue
            if holder.name == CLEANING:
                raise UsageError(
                    f"the store is being cleaned from {holder.host}",
                    self.remote.url,
                    remedy="Try again when 'mlkit clean' has ended there",
                    code="E103",
                )
            if self.name == CLEANING:
                raise UsageError(
                    f"run {holder.name} is alive on {holder.host}",
                    self.remote.url,
                    remedy="Clean when it has ended",
                    code="E103",
                )
            together = self.work is not None and holder.shared
            if holder.name == self.name and not together and not holder.is_here(self.folder):
                raise UsageError(
                    f"run {self.name} is alive on {holder.host}: its last sign came "
                    f"{holder.age_s:.0f} s ago",
                    remedy="Wait until it has ended, or stop it there first",
                    code="E103",
                )
