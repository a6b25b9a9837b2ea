"""Time that only passes when it is waited for, and workers that work at once."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

__all__ = ["FakeClock", "InlineExecutor"]

T = TypeVar("T")


class FakeClock:
    """A clock that jumps to the next moment at which something is due.

    Use it with `InlineExecutor`: an attempt has then ended before anybody waits for it, and waiting
    means that a retry or a sensor is due later.

    Parameters
    ----------
    start : float, optional
        The first moment, in seconds since 1970 (UTC); by default the present one, so that the
        files of a test are not younger than its runs.
    """

    def __init__(self, start: float | None = None) -> None:
        self._now = time.time() if start is None else start
        self.waits: list[float] = []

    def now(self) -> float:
        """Give the seconds since 1970 (UTC)."""
        return self._now

    def monotonic(self) -> float:
        """The same; it never goes back either."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Parameters
        ----------
        seconds : float
            How much.
        """
        self._now += seconds

    def wait(self, inbox: queue.SimpleQueue[Any], timeout_s: float | None) -> Any | None:
        """Give what has arrived; otherwise let the time pass until the next thing is due.

        Parameters
        ----------
        inbox : SimpleQueue
            Where things arrive.
        timeout_s : float or None
            How long to wait at most; None: as long as it takes.

        Raises
        ------
        RuntimeError
            If nothing has arrived and nothing is due: a real clock would wait for ever.
        """
        try:
            return inbox.get_nowait()
        except queue.Empty:
            if timeout_s is None:
                raise RuntimeError("nothing is running and nothing is due") from None
        self.waits.append(timeout_s)
        self._now += timeout_s
        return None


class InlineExecutor(Executor):
    """Does each piece of work at once, in the thread that hands it over."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Do the work now; its result, or what it raised, is in the future.

        Parameters
        ----------
        fn : callable
            The work.
        *args, **kwargs : object
            What it is given.
        """
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - an executor hands over whatever was raised
            future.set_exception(error)
        return future
