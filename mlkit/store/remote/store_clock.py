"""What time it is for a store: that of a file just written.

A file's age is told by this clock alone, so the clocks of the machines that share it may differ.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Protocol

from mlkit.store.remote.files import Entry

__all__ = ["store_now"]


class Place(Protocol):
    """What is needed of a `Remote`."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file."""
        ...

    def entries(self, folder: str = "") -> list[Entry]:
        """Every file below a folder."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that may be gone."""
        ...


def store_now(place: Place, folder: str) -> float:
    """Ask a store for its time; 0 where it does not say when a file was written.

    Parameters
    ----------
    place : Remote
        The store.
    folder : str
        The folder below it that holds the file for a moment.
    """
    file = f"{folder}/.now-{secrets.token_hex(8)}"
    place.write(file, b"now\n")
    found = [entry.written_s for entry in place.entries(folder) if entry.name == file]
    place.remove([file])
    return max(found, default=0.0)
