"""Tell how far the work of a cell has come, while it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Generic, TypeVar, overload

from mlkit.inside.measuring import measured_in, write_line

__all__ = ["Progress", "progress"]

_EVERY_S = 0.25
"""More often nobody looks."""

Item = TypeVar("Item")


class Progress(Generic[Item]):
    """What `progress` gives: go through it, or tell it by `advance` how much is done.

    Parameters
    ----------
    work : iterable
        What is gone through.
    total : float, optional
        How much there is to do, if that is known.
    label : str
        What is counted.
    """

    def __init__(self, work: Iterable[Item], total: float | None, label: str) -> None:
        self.total, self.label, self.done = total, label, 0.0
        self._work = work
        self._told_at = float("-inf")
        self._told: float | None = None

    def __iter__(self) -> Iterator[Item]:
        """Go through the work; each item that comes to its end is counted."""
        self._tell()
        for item in self._work:
            yield item
            self.advance()
        self.close()

    def advance(self, by: float = 1) -> None:
        """Count what is done.

        Parameters
        ----------
        by : float
            How much more.
        """
        self.done += by
        if time.monotonic() - self._told_at >= _EVERY_S:
            self._tell()

    def close(self) -> None:
        """Tell how far it came at last."""
        if self._told != self.done:
            self._tell()
        if measured_in() is None:
            print(file=sys.stderr)  # noqa: T201 - the line that was rewritten ends

    def _tell(self) -> None:
        self._told_at, self._told = time.monotonic(), self.done
        file = measured_in()
        if file is not None:
            write_line(file, progress=self.label, done=self.done, total=self.total)
            return
        of = "" if self.total is None else f" of {self.total:g}"
        said = f"{self.label}: {self.done:g}{of}" if self.label else f"{self.done:g}{of}"
        print(f"\r{said}", end="", file=sys.stderr, flush=True)  # noqa: T201 - seen by hand


@overload
def progress(work: int, *, total: float | None = None, label: str = "") -> Progress[int]: ...
@overload
def progress(
    work: Iterable[Item], *, total: float | None = None, label: str = ""
) -> Progress[Item]: ...
def progress(
    work: Iterable[Any] | int, *, total: float | None = None, label: str = ""
) -> Progress[Any]:
    """Tell how far the work of a cell has come; views, terminal and events show it while it runs.

    It is no part of the result: neither the executed notebook nor a fingerprint knows of it.
    Opened by hand, a notebook shows it below the cell.

    Parameters
    ----------
    work : iterable or int
        What to go through; or a number, whose range is gone through, or which `advance` counts.
    total : float, optional
        How much there is to do; by default the number, or the length of what has one.
    label : str
        What is counted, such as `epoch`.

    Returns
    -------
    Progress
        To go through, or to `advance`.

    Examples
    --------
    >>> for batch in progress([[1, 2], [3, 4]], label="batch"):  # doctest: +SKIP
    ...     fit(batch)
    """
    if isinstance(work, int):
        return Progress(range(work), work if total is None else total, label)
    if total is None and isinstance(work, Sized):
        total = len(work)
    return Progress(work, total, label)
