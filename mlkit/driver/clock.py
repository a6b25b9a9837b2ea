"""Time, as the driver sees it; injected, so that tests need not wait."""

from __future__ import annotations

import queue
import time
from typing import Any, Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> float:
        """Seconds since 1970 (UTC)."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def wait(self, inbox: queue.SimpleQueue[Any], timeout_s: float | None) -> Any | None:
        """Wait for an item, at most so long; None if none came."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since 1970 (UTC)."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()

    def wait(self, inbox: queue.SimpleQueue[Any], timeout_s: float | None) -> Any | None:
        """Wait for an item."""
        try:
            return inbox.get(timeout=timeout_s)
        except queue.Empty:
            return None
