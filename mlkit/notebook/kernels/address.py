"""Where a kernel listens: five Unix sockets and a connection file in a private folder."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import field
from pathlib import Path
from typing import Any

from mlkit.frozen import dataclass

__all__ = ["Address"]


@dataclass(frozen=True, kw_only=True)
class Address:
    """The connection of one kernel.

    Parameters
    ----------
    serial : int
        The kernel's number with its driver.
    stem : Path
        What the names of its files begin with.
    key : bytes
        Signs its messages.
    """

    serial: int
    stem: Path
    key: bytes = field(default_factory=lambda: secrets.token_hex(16).encode(), repr=False)

    @property
    def file(self) -> Path:
        """The connection file."""
        return self.stem.with_name(f"{self.stem.name}.json")

    @property
    def places(self) -> dict[str, Any]:
        """Transport, address and ports, under jupyter_client's names."""
        names = ("shell", "iopub", "stdin", "control", "hb")
        ports = {f"{name}_port": number for number, name in enumerate(names, start=1)}
        return {"transport": "ipc", "ip": str(self.stem), **ports}

    def lead_to_colons(self) -> None:
        """Let `STEM-1` lead to `STEM:1`, where some kernels listen.

        jupyter_client joins address and port by a hyphen if they are a socket's path, and so does
        whatever is made of ipykernel; IRkernel joins them by a colon whatever they are. ZeroMQ
        removes a link from the place where it makes a socket, so that both sorts are found.
        """
        for number in range(1, 6):
            link = self.stem.with_name(f"{self.stem.name}-{number}")
            link.symlink_to(self.stem.with_name(f"{self.stem.name}:{number}"))

    def remove(self) -> None:
        """Remove what a kernel that is gone has left behind."""
        for each in self.stem.parent.glob(f"{self.stem.name}[-:]*"):
            each.unlink(missing_ok=True)

    def write(self) -> None:
        """Write the connection file, readable for this user only."""
        content = {
            **self.places,
            "key": self.key.decode(),
            "signature_scheme": "hmac-sha256",
            "kernel_name": "python3",
        }
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(self.file, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
