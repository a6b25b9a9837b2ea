"""How long to wait before a retry, by tenacity's waits."""

from __future__ import annotations

from typing import Any

from mlkit.core.policies import Retry

__all__ = ["delay_before"]

_LONGEST_S = 7 * 86400.0


def delay_before(retry: Retry, retries_so_far: int) -> float:
    """Give the seconds to wait before the next retry.

    Exponential backoff, `delay_s * backoff ** n`, at most `max_delay_s`; with jitter drawn evenly
    between half of that and all of it ("equal jitter": M. Brooker, Exponential Backoff and Jitter,
    AWS Architecture Blog, 2015).

    Parameters
    ----------
    retry : Retry
        The stage's policy.
    retries_so_far : int
        How many retries there were already: 0 before the first.
    """
    # It brings asyncio along: 50 ms, which a run pays whose stages are tried again.
    from tenacity import RetryCallState, wait_exponential, wait_random

    nothing: Any = None
    state = RetryCallState(retry_object=nothing, fn=None, args=(), kwargs={})
    state.attempt_number = retries_so_far + 1
    longest = _LONGEST_S if retry.max_delay_s is None else retry.max_delay_s
    full = wait_exponential(multiplier=retry.delay_s, exp_base=retry.backoff, max=longest)(state)
    return wait_random(full / 2, full)(state) if retry.jitter else full
