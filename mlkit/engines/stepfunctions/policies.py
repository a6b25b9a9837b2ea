"""Retries, time limits and what Step Functions cannot express. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.policies import Retry, WaitFor
from mlkit.engines.refusals import Refusal

__all__ = [
    "HEARTBEAT_S",
    "LOST",
    "RETRYABLE",
    "looks",
    "refusals",
    "retriers",
    "timeout_s",
]

RETRYABLE = "mlkit.Retryable"
"""What the worker answers where another attempt is allowed and `on` does not name the class."""

LOST: Mapping[str, Any] = {
    "ErrorEquals": ["States.HeartbeatTimeout", "States.Timeout"],
    "IntervalSeconds": 1,
    "MaxAttempts": 2,
    "BackoffRate": 1.0,
}
"""A worker that is lost has nothing to do with the stage's own policy."""

HEARTBEAT_S = 60
"""So long a worker may be silent."""

_GRACE_S = 15 * 60
"""mlkit itself keeps a stage's `timeout`; the state's limit is for what mlkit could not end."""

_FOREVER_S = 365 * 24 * 60 * 60
"""No execution takes longer than a year."""

_MOST_EVENTS = 25_000
"""The events of one execution; it fails when it has written them."""

_EVENTS_OF_A_TASK = 8


def retriers(retry: Retry) -> list[dict[str, Any]]:
    """Give the entries of `Retry` of a stage's task.

    Seconds are whole there, and at least one.
    """
    if retry.max_retries == 0:
        return [dict(LOST)]
    first, longest = _whole(retry.delay_s), retry.max_delay_s
    grows = retry.max_retries > 1 and retry.backoff > 1
    if longest is not None and _whole(longest) <= first:
        first, grows = _whole(longest), False
    own: dict[str, Any] = {
        "ErrorEquals": [*(retry.on or ()), RETRYABLE],
        "IntervalSeconds": first,
        "MaxAttempts": retry.max_retries,
        "BackoffRate": float(retry.backoff) if grows else 1.0,
    }
    if grows and longest is not None:
        own["MaxDelaySeconds"] = _whole(longest)
    if retry.jitter and retry.delay_s:
        own["JitterStrategy"] = "FULL"
    return [own, dict(LOST)]


def timeout_s(stage: Stage) -> int:
    """Give how long a stage's task may take, from the moment in which a worker has it."""
    return _FOREVER_S if stage.timeout_s is None else math.ceil(stage.timeout_s) + _GRACE_S


def looks(wait: WaitFor) -> tuple[int, int]:
    """Give the seconds between two looks for a file, and how often is looked again."""
    every = _whole(wait.every_s)
    return every, max(1, math.ceil(wait.timeout_s / every))


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))


def refusals(pipeline: Pipeline) -> Iterator[Refusal]:
    """Name what Step Functions cannot express."""
    events = 0
    for stage in pipeline.stages.values():
        placed = stage.resources
        if stage.image or placed.cpu or placed.memory or placed.gpu or placed.node_selector:
            yield Refusal(
                stage=stage,
                fact="its tasks are taken by workers that you start, and nothing places them",
                remedy="Start the worker on a machine that has what the stage needs, without "
                "'image' and 'resources', or use an engine that places each task",
            )
        if stage.wait_for is not None:
            own = _EVENTS_OF_A_TASK * looks(stage.wait_for)[1]
            events += own
            yield from _too_many(stage, own, "Set a longer 'every', or a shorter 'timeout'")
        size = 1 if stage.foreach is None else stage.foreach.size or 1
        events += _EVENTS_OF_A_TASK * size
        yield from _too_many(stage, _EVENTS_OF_A_TASK * size, "Cut the list into several stages")
    yield from _too_many(None, events, "Cut it into several pipelines")


def _too_many(stage: Stage | None, events: int, remedy: str) -> Iterator[Refusal]:
    if events > _MOST_EVENTS:
        yield Refusal(
            stage=stage,
            fact=f"it would write about {events} events into the history of its execution, and "
            f"{_MOST_EVENTS} are the most",
            remedy=remedy,
        )
