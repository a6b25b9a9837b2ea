"""A name that one process among all machines has claimed behind a URL.

A claim is a file `.claims/NAME@NUMBER` that its holder renews. A process that wants the name
creates the next number, which the store lets one of them do, and then looks: beside another living
claim it withdraws. One that was not renewed for a while is dead, and its name is free.

Ages are told by the store's clock alone (`store_clock`).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from mlkit.core.values import safe_name
from mlkit.errors import StoreError
from mlkit.store.remote import leases
from mlkit.store.remote.files import Entry
from mlkit.store.remote.store_clock import store_now

__all__ = ["Place", "RemoteClaim", "forget_dead", "held_remotely"]

FOLDER = ".claims"
_WAIT_S = 0.2
"""Two who have seen each other withdraw both, and come again at different times."""
_FORGOTTEN_AFTER = 40
_EARLIER = 0.9
"""A holder doubts its claim somewhat before others may take it: stores tell times in seconds."""


class Place(Protocol):
    """What a claim needs of a `Remote`."""

    url: str

    def create(self, name: str, data: bytes) -> bool:
        """Write a file that must not be there yet; False if it is."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file."""
        ...

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None if there is none."""
        ...

    def entries(self, folder: str = "") -> list[Entry]:
        """Every file below a folder."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that may be gone."""
        ...


class RemoteClaim:
    """One claimer of a name.

    Parameters
    ----------
    place : Place
        The runs folder behind its URL.
    name : str
        What is claimed.
    wait : callable, optional
        Waits for so many seconds.
    """

    def __init__(self, place: Place, name: str, wait: Callable[[float], None] = time.sleep) -> None:
        self.place = place
        self._prefix = f"{FOLDER}/{safe_name(name)}@"
        self._wait = wait
        told = {"host": socket.gethostname(), "pid": os.getpid(), "token": secrets.token_hex(8)}
        self._data = json.dumps(told).encode()
        self._file = ""
        self._written_s = 0.0

    def take(self) -> str:
        """Claim the name; empty if it is claimed now, otherwise who has it.

        Raises
        ------
        StoreError
            If the store cannot be used, or lets two machines create one file.
        """
        while True:
            there = self._there()
            living = _living(there, store_now(self.place, FOLDER)) if there else []
            if living:
                return self._holder(living[-1])
            self._file = f"{self._prefix}{max(map(_number, there), default=0) + 1:08d}"
            if self._creates() and self._is_alone():
                return ""

    def renew(self) -> bool:
        """Show that the holder lives; False if it had not for so long that another has the name."""
        mine: Entry | None = None
        while mine is None:  # what is old is cleaned away, perhaps in this instant
            self.place.write(self._file, self._data)
            mine, others = self._look()
        was_silent = mine.written_s - self._written_s >= _EARLIER * leases.DEAD_AFTER_S
        if was_silent and _living(others, mine.written_s):
            self.release()
            return False
        self._written_s = mine.written_s
        return True

    def release(self) -> None:
        """Give the name back."""
        self.place.remove([self._file])

    def _creates(self) -> bool:
        """Create the file of the next number, unless somebody else comes first."""
        # A request that was repeated after a broken answer finds what it has made itself.
        if not self.place.create(self._file, self._data):
            return self.place.read(self._file) == self._data
        if not self.place.create(self._file, self._data):
            return True
        self.release()  # somebody took it for dead and has removed it, or the store knows no better
        _check_creates_once(self.place)
        return False

    def _is_alone(self) -> bool:
        """Written first and looked then, of two who begin at once at least one sees the other."""
        mine, others = self._look()
        if mine is None or _living(others, mine.written_s):
            self.release()
            self._wait(random.uniform(0, _WAIT_S))
            return False
        self._written_s = mine.written_s
        return True  # files of the dead stay: they may come to themselves while they are removed

    def _look(self) -> tuple[Entry | None, list[Entry]]:
        there = self._there()
        mine = next((entry for entry in there if entry.name == self._file), None)
        return mine, [entry for entry in there if entry is not mine]

    def _there(self) -> list[Entry]:
        return [e for e in self.place.entries(FOLDER) if e.name.startswith(self._prefix)]

    def _holder(self, entry: Entry) -> str:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return f"a process on {json.loads(self.place.read(entry.name) or b'')['host']}"
        return "another process"  # it has given the name back since, or is about to say who it is


@contextlib.contextmanager
def held_remotely(place: Place, name: str, lost: Callable[[], None]) -> Iterator[str]:
    """Claim a name and renew the claim until the end; yields who has it if it is not free.

    Parameters
    ----------
    place : Place
        The runs folder behind its URL.
    name : str
        What is claimed.
    lost : callable
        Is called, in another thread, if this process was silent for so long (suspended, or cut off
        from the store) that another one has taken the name over.
    """
    claim = RemoteClaim(place, name)
    holder = claim.take()
    if holder:
        yield holder
        return
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(leases.EVERY_S):
            with contextlib.suppress(StoreError):  # the run itself will say that the store is gone
                if not claim.renew():
                    lost()
                    return

    thread = threading.Thread(target=renew, name="mlkit-claim", daemon=True)
    thread.start()
    try:
        yield ""
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(StoreError):  # it ages away where the store is gone
            claim.release()


def forget_dead(place: Place) -> None:
    """Remove what claimers that died long ago have left.

    Long ago, for one that comes to itself between this look and the removal would lose its file.
    """
    there = place.entries(FOLDER)
    if there:
        now_s = store_now(place, FOLDER) - _FORGOTTEN_AFTER * leases.DEAD_AFTER_S
        place.remove([entry.name for entry in there if entry.written_s < now_s])


def _check_creates_once(place: Place) -> None:
    """Refuse a store that does not know the condition under which a claim is created."""
    file = f"{FOLDER}/.once-{secrets.token_hex(8)}"
    twice = place.create(file, b"once\n") and place.create(file, b"twice\n")
    place.remove([file])
    if twice:
        raise StoreError(
            "the store cannot keep machines apart: it creates a file that is there already",
            place.url,
            remedy="Use a store that knows S3's If-None-Match, or a runs folder without a URL",
        )


def _living(entries: Iterable[Entry], now_s: float) -> list[Entry]:
    return [entry for entry in entries if now_s - entry.written_s < leases.DEAD_AFTER_S]


def _number(entry: Entry) -> int:
    return int(entry.name.rpartition("@")[2])
