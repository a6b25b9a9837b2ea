"""What a flaky server does with each request, decided before anything is sent."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Literal

from mlkit.frozen import dataclass

__all__ = ["Answer", "Flakiness", "RateLimit", "decide"]

Ending = int | Literal["drop", "cut"]


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """At most so many requests are let through in any window of so many seconds.

    Parameters
    ----------
    requests : int
        How many; the next one in the same window is answered 429 with `Retry-After`.
    per_s : float
        The window's length in seconds.
    """

    requests: int
    per_s: float = 1.0

    def __post_init__(self) -> None:
        if self.requests < 1 or self.per_s <= 0:
            raise ValueError(
                f"a rate limit lets at least 1 request through in more than 0 seconds, "
                f"not {self.requests} in {self.per_s}"
            )


@dataclass(frozen=True, kw_only=True)
class Flakiness:
    """How a server misbehaves.

    Parameters
    ----------
    pattern : sequence of int, "drop" or "cut"
        What becomes of the first, the second, … request: an HTTP status, `"drop"` (the connection
        is closed without an answer) or `"cut"` (the answer breaks off in the middle). What comes
        after the pattern is ruled by `failure_rate`.
    failure_rate : float
        The share of the further requests that fail, drawn from `seed`.
    failure : int, "drop" or "cut"
        How those fail.
    seed : int
        The same seed and the same order of requests fail at the same requests.
    delay_s : float
        Seconds that every answer is late, a failure too.
    rate_limit : RateLimit, optional
        It is looked at first: what it refuses is answered 429, and uses up nothing of the pattern.
    """

    pattern: Sequence[Ending] = ()
    failure_rate: float = 0.0
    failure: Ending = 503
    seed: int = 0
    delay_s: float = 0.0
    rate_limit: RateLimit | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.failure_rate <= 1.0:
            raise ValueError(f"failure_rate lies between 0 and 1, not at {self.failure_rate}")
        if self.delay_s < 0:
            raise ValueError(f"delay_s is 0 or more, not {self.delay_s}")
        for ending in (*self.pattern, self.failure):
            if ending not in ("drop", "cut") and ending not in range(200, 600):
                raise ValueError(
                    f"{ending!r} is no HTTP status from 200 to 599, and neither 'drop' nor 'cut'"
                )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What becomes of one request: how it ends, and for a 429 after how many seconds to retry."""

    ending: Ending
    retry_after_s: int | None = None


def decide(flakiness: Flakiness, let_through: Sequence[float], now_s: float) -> Answer:
    """Choose the answer to one request. Pure: no socket, no clock.

    Parameters
    ----------
    flakiness : Flakiness
        How the server misbehaves.
    let_through : sequence of float
        When the earlier requests came that the rate limit let through, in seconds, oldest first.
    now_s : float
        When this one came.
    """
    limit = flakiness.rate_limit
    if limit is not None and len(let_through) >= limit.requests:
        free_at = let_through[-limit.requests] + limit.per_s
        if now_s < free_at:
            return Answer(ending=429, retry_after_s=math.ceil(free_at - now_s))
    number = len(let_through)
    if number < len(flakiness.pattern):
        return Answer(ending=flakiness.pattern[number])
    dice = random.Random(f"{flakiness.seed}/{number}")
    fails = dice.random() < flakiness.failure_rate
    return Answer(ending=flakiness.failure if fails else 200)
