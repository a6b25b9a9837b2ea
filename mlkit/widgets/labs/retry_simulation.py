"""Many clients that call one failing server and retry: a simulation of time, not of policy.

When a client tries again is decided by mlkit's own retry policy (`mlkit.driver.backoff`); the
server, the clients and the clock are simulated, event by event.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field, replace

from mlkit.core.policies import Retry
from mlkit.driver.backoff import delay_before
from mlkit.frozen import dataclass

__all__ = ["Call", "Crowd", "Simulation", "simulate"]


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """The clients, the server and the clients' policy.

    Parameters
    ----------
    retry : Retry
        The policy of every client: retries, delay, backoff, longest delay, jitter.
    clients : int
        How many; all make their first call at second 0, as jobs do that one schedule starts.
    failure_rate : float
        The share of the calls that fail whatever the load, from 0 to 1.
    capacity : int, optional
        How many calls the server takes in a window; those above it fail. None: any number.
    window_s : float
        The window's length in seconds.
    call_s : float
        How long a call takes.
    seed : int
        The same seed gives the same result.
    """

    retry: Retry = field(default_factory=lambda: Retry(max_retries=5))
    clients: int = 20
    failure_rate: float = 0.3
    capacity: int | None = None
    window_s: float = 0.25
    call_s: float = 0.05
    seed: int = 1

    def with_jitter(self, jitter: str) -> Crowd:
        """The same crowd, with jitter "on" or "off"."""
        return replace(self, retry=replace(self.retry, jitter=jitter == "on"))


@dataclass(frozen=True, kw_only=True)
class Call:
    """One attempt of one client.

    Parameters
    ----------
    client, number : int
        Whose, from 0; which of its attempts, from 1.
    at_s : float
        When it began.
    outcome : str
        `ok`, `failed` (by the failure rate) or `refused` (above the capacity).
    """

    client: int
    number: int
    at_s: float
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """All calls, in the order of time."""

    crowd: Crowd
    calls: tuple[Call, ...]

    @property
    def succeeded(self) -> int:
        """How many clients got their answer."""
        return sum(1 for call in self.calls if call.outcome == "ok")

    @property
    def success_share(self) -> float:
        """The share of the clients that got their answer."""
        return self.succeeded / self.crowd.clients

    @property
    def ends_s(self) -> float:
        """When the last call ended."""
        return max(call.at_s for call in self.calls) + self.crowd.call_s

    def of(self, client: int) -> tuple[Call, ...]:
        """One client's calls."""
        return tuple(call for call in self.calls if call.client == client)

    def load(self, window_s: float | None = None) -> dict[int, int]:
        """Count the calls that began in each window, by the window's number; none is left out."""
        width = self.crowd.window_s if window_s is None else window_s
        counted = Counter(int(call.at_s / width) for call in self.calls)
        return {n: counted[n] for n in range(max(counted) + 1)}

    def peak_after_start(self, window_s: float | None = None) -> int:
        """The highest load that retries make; the common start at 0 is not the policy's doing."""
        width = self.crowd.window_s if window_s is None else window_s
        counted = Counter(int(call.at_s / width) for call in self.calls if call.number > 1)
        return max(counted.values(), default=0)


def simulate(crowd: Crowd) -> Simulation:
    """Let every client call until it succeeds or has no retries left."""
    due = [(0.0, client, 1) for client in range(crowd.clients)]
    calls: list[Call] = []
    taken: list[float] = []
    with _seeded(crowd.seed):
        while due:
            at, client, number = heapq.heappop(due)
            outcome = _outcome(crowd, taken, (at, client, number))
            calls.append(Call(client=client, number=number, at_s=at, outcome=outcome))
            if outcome != "ok" and number <= crowd.retry.max_retries:
                again = at + crowd.call_s + delay_before(crowd.retry, number - 1)
                heapq.heappush(due, (again, client, number + 1))
    return Simulation(crowd=crowd, calls=tuple(calls))


def _outcome(crowd: Crowd, taken: list[float], call: tuple[float, int, int]) -> str:
    """The fate of a call depends on the seed, the client and the attempt, not on the policy."""
    at, client, number = call
    if crowd.capacity is not None:
        recent = sum(1 for time in reversed(taken[-crowd.capacity :]) if at - time < crowd.window_s)
        if recent >= crowd.capacity:
            return "refused"
    taken.append(at)
    dice = random.Random(f"{crowd.seed}/{client}/{number}")
    return "failed" if dice.random() < crowd.failure_rate else "ok"


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the dice that tenacity throws for jitter, and put them back as they were."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
