"""What a task knows of the stages upstream: how they ended, and what they wrote.

This file stands beside the flow and imports Prefect and the standard library only.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import allow_failure
from prefect.futures import as_completed
from prefect.states import Completed, Failed, State


class _NoValue:
    """Stands for a value that is not there."""

    def __str__(self) -> str:
        return "no value"


NO_VALUE = _NoValue()


class StageError(RuntimeError):
    """A stage has failed; `retryable` says whether its retry policy lets it be tried again."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


def skipped(reason: str) -> State:
    """End a task as skipped: completed, under a name of its own."""
    end = {"status": "skipped", "outputs": {}}
    return Completed(name="Skipped", message=reason, data=end)


def upstream_failed(reason: str) -> State:
    """End a task as failed without having been started, because of what is upstream."""
    return Failed(name="UpstreamFailed", message=reason, data=StageError(reason))


def given(upstream: Mapping[str, Any]) -> dict[str, Any]:
    """Hand futures to a task, which then waits for them and is told how they ended."""
    known = {name: future for name, future in upstream.items() if future is not None}
    return {name: _allowed(future) for name, future in known.items()}


class Early:
    """Futures that a task looks at while it runs.

    Prefect waits for whatever it finds in a task's arguments, also behind its own annotations; into
    a class that it does not know it does not look.
    """

    def __init__(self, futures: Sequence[Any]) -> None:
        self.futures = futures


def early(future: Any) -> Early:
    """Hand over a future that the task does not wait for before it starts."""
    return Early(list(future) if isinstance(future, Sequence) else [future])


def _allowed(future: Any) -> Any:
    if isinstance(future, Early):
        return future
    if isinstance(future, Sequence):
        return [allow_failure(item) for item in future]
    return allow_failure(future)


# When a stage may start: the trigger rules, which are Airflow's.


def judge(rule: str, statuses: Sequence[str]) -> str:
    """Say what a trigger rule makes of upstream statuses: start, wait, skip or upstream_failed.

    The statuses are `succeeded`, `skipped`, `failed`, and `waiting` for what has not ended.
    """
    count = Counter(statuses)
    total, good, bad = len(statuses), count["succeeded"], count["failed"]
    passed_over, done = count["skipped"], not count["waiting"]
    if rule == "always":
        return "start"
    if bad and rule in ("all_success", "none_failed", "none_failed_min_one_success"):
        return "upstream_failed"
    if passed_over and rule == "all_success":  # one that is still to fail counts for more
        return "skip" if done else "wait"
    if (good or passed_over) and rule == "all_failed":
        return "skip"
    if total and passed_over == total and rule == "none_failed_min_one_success":
        return "skip"
    if (good and rule == "one_success") or (bad and rule == "one_failed"):
        return "start"
    if not done or rule not in ("one_success", "one_failed") or not total:
        return "start" if done else "wait"
    return "skip" if rule == "one_failed" or passed_over == total else "upstream_failed"


def held_back(rule: str, upstream: Mapping[str, Any]) -> State | None:
    """Give the state in which a task ends if its trigger rule does not let it start, or None."""
    early = [end.futures for end in upstream.values() if isinstance(end, Early)]
    coming = as_completed([future for futures in early for future in futures])
    while True:
        known: dict[str, str] = {}
        for name, end in upstream.items():
            known |= _statuses(name, end)
        verdict = judge(rule, list(known.values()))
        if verdict != "wait":
            break
        next(coming).wait()
    reason = f"{rule}: " + ", ".join(f"{name} {status}" for name, status in known.items())
    if verdict == "skip":
        return skipped(reason)
    return upstream_failed(reason) if verdict == "upstream_failed" else None


def _statuses(name: str, end: Any) -> dict[str, str]:
    """The status of an upstream task, or of each task of a mapped one."""
    ends = [_peek(future) for future in end.futures] if isinstance(end, Early) else end
    if not isinstance(ends, list):
        return {name: _status(ends)}
    return {f"{name}[{place}]": _status(item) for place, item in enumerate(ends)}


def _peek(future: Any) -> Any:
    return future.result(raise_on_failure=False) if future.state.is_final() else None


def _status(end: Any) -> str:
    if end is None:
        return "waiting"
    if isinstance(end, Mapping):
        return "skipped" if end["status"] == "skipped" else "succeeded"
    return "failed"


# What a task reads of what is upstream: branches, and lists to map over.


def artifact(end: Any, output: str) -> Any:
    """Read the JSON value in an upstream artifact; `NO_VALUE` if it was not made."""
    path = end["outputs"].get(output) if isinstance(end, Mapping) else None
    return NO_VALUE if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def same(value: Any, *choices: Any) -> bool:
    """Say whether a JSON value is one of some; unlike with `==`, `1` is not `true`."""
    if value is NO_VALUE:
        return False
    return json.dumps(value, sort_keys=True) in [json.dumps(c, sort_keys=True) for c in choices]


def labels(future: Any, output: str, kind: Callable[[Any], Any] | None = None) -> list[Any]:
    """Wait for a task, and read from its artifact the values that the next stage is mapped over.

    Whatever is no list of values, and an empty list, gives one task without a value: mlkit then
    says what became of the stage.
    """
    end = future.result(raise_on_failure=False)
    try:
        values = artifact(end, output)
        return [_label(kind(value) if kind else value) for value in values] or [NO_VALUE]
    except (OSError, TypeError, ValueError):
        return [NO_VALUE]


def _label(value: Any) -> str:
    """Write a value as mlkit does between the brackets of `STAGE[VALUE]`."""
    if isinstance(value, str):
        # what means something between the brackets is quoted, and what cannot be seen is escaped
        if re.search(r'[,\[\]*]|^["\s]|\s$', value) or not value.isprintable():
            return json.dumps(value, ensure_ascii=not value.isprintable())
        return value
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, int | float):
        return repr(value)
    raise TypeError(f"{value!r} is no scalar")


def picked(futures: Sequence[Any], values: Sequence[Any], value: str) -> Any:
    """Give the task of one value; None if the list does not have it."""
    return dict(zip(map(_meant, values), futures, strict=True)).get(_meant(value))


def _meant(label: Any) -> Any:
    """What a label means, whether it is quoted or not."""
    return json.loads(label) if isinstance(label, str) and label.startswith('"') else label
