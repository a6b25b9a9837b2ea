"""How much of the machine one submission may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from mlkit.frozen import dataclass

__all__ = ["PATIENCE", "Limits"]

MEBIBYTE = 1024 * 1024
PATIENCE = 4
"""How many times its time on the wall a cell, or a submission, may have on a busy machine."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one submission; an exercise may set its own in its metadata (`mlkit.limits`).

    Parameters
    ----------
    cell_s : float
        Time of one cell. While it computes, what the processors did for it counts, so that a busy
        machine costs nothing; otherwise the clock on the wall. That may show `PATIENCE` times as
        much and no more.
    total_s : float
        Time of all cells together, counted in the same way.
    start_s : float
        Wall clock until the kernel answers.
    cpu_s : int
        Processor time of one process.
    address_space_bytes : int
        Address space of one process; ipykernel alone needs 768 MiB.
    memory_bytes : int
        Memory of all processes together, with the files that they hold in memory.
    disk_bytes : int
        Room in each of the temporary folder, the home folder and shared memory; also the size of
        one file.
    files : int
        Files and folders in these folders together.
    processes : int
        Processes and threads.
    output_bytes : int
        Output of one cell that is kept: the first part, and the end. A cell that puts out
        32 times as much is ended.
    """

    cell_s: float = 10
    total_s: float = 120
    start_s: float = 60
    cpu_s: int = 120
    address_space_bytes: int = 4096 * MEBIBYTE
    memory_bytes: int = 1536 * MEBIBYTE
    disk_bytes: int = 64 * MEBIBYTE
    files: int = 20_000
    processes: int = 96
    output_bytes: int = 1 * MEBIBYTE

    def with_wishes(self, wishes: Mapping[str, Any]) -> Limits:
        """These limits, with those that an exercise sets itself; unknown names are left alone."""
        known = {field.name for field in fields(self)}
        return replace(self, **{name: wish for name, wish in wishes.items() if name in known})
