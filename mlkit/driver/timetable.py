"""What is to be done next: attempts that are ready, calls that are due, and what workers report."""

from __future__ import annotations

import heapq
import itertools
import queue
from collections.abc import Callable, Iterator
from typing import Any

from mlkit.driver.clock import Clock

__all__ = ["Call", "Timetable"]

Call = Callable[[], None]
Start = Callable[[], bool]


class Timetable:
    """Keeps the order of a run's work; it knows nothing of stages.

    One thread reads it; `tell` and `hand_back` may be called from any.

    Parameters
    ----------
    clock : Clock
        Tells what is due, and waits.
    workers : int
        How many attempts go on at once.
    """

    def __init__(self, clock: Clock, workers: int) -> None:
        self.running = 0
        self.stopped = False
        self.why = ""
        self._clock = clock
        self._workers = workers
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Call]] = []
        self._ready: list[tuple[tuple[int, ...], int, Start]] = []
        self._count = itertools.count()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is running and nothing is timed."""
        return not self.running and not self._timers

    def later(self, delay_s: float, call: Call) -> None:
        """Call something when a delay has passed."""
        heapq.heappush(self._timers, (self._clock.monotonic() + delay_s, next(self._count), call))

    def enqueue(self, place: tuple[int, ...], start: Start) -> None:
        """Start an attempt as soon as a worker is free, lower places first.

        `start` says whether it has begun; one that has not is forgotten here.
        """
        heapq.heappush(self._ready, (place, next(self._count), start))

    def tell(self, call: Call) -> None:
        """Have something called in the thread that reads."""
        self._inbox.put((0, call))

    def hand_back(self, call: Call) -> None:
        """Have something called, and the worker of the attempt that has ended counted as free."""
        self._inbox.put((1, call))

    def start_ready(self) -> None:
        """Start what is ready, as many at once as there are workers."""
        while self._ready and self.running < self._workers:
            self.running += heapq.heappop(self._ready)[2]()  # what did not start is not waited for

    def wait(self) -> Call | None:
        """Wait for news, or until something is due."""
        news = self._clock.wait(self._inbox, self._until_due_s())
        return None if news is None else self._taken(news)

    def due(self) -> Iterator[Call]:
        """What is due, one by one: a call may clear the rest."""
        while self._timers and self._timers[0][0] <= self._clock.monotonic():
            yield heapq.heappop(self._timers)[2]

    def stop(self, why: str = "") -> None:
        """Forget what has not begun, and remember why."""
        self.stopped, self.why = True, why
        self._ready.clear()
        self._timers.clear()

    def drain(self) -> None:
        """Wait until the attempts under way have ended, whatever they report."""
        while self.running:
            self._taken(self._inbox.get())

    def _until_due_s(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - self._clock.monotonic())

    def _taken(self, news: tuple[int, Call]) -> Call:
        freed, call = news
        self.running -= freed
        return call
