"""Trigger rules: which upstream states let a stage start.

The rules and their meaning are Airflow's (`airflow.ti_deps.deps.trigger_rule_dep`): `cached` counts
as success, and a rule may decide before every upstream stage has finished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from mlkit.core.record import StageRecord
from mlkit.core.states import FINISHED, SUCCESSFUL, Status

__all__ = ["NOT_STARTED", "TriggerRule", "Verdict", "blame", "judge"]


class TriggerRule(StrEnum):
    """The names of the trigger rules."""

    ALL_SUCCESS = "all_success"
    ALL_DONE = "all_done"
    ALL_FAILED = "all_failed"
    ONE_SUCCESS = "one_success"
    ONE_FAILED = "one_failed"
    NONE_FAILED = "none_failed"
    NONE_FAILED_MIN_ONE_SUCCESS = "none_failed_min_one_success"
    ALWAYS = "always"


class Verdict(StrEnum):
    """What a trigger rule says of a stage."""

    WAIT = "wait"
    START = "start"
    SKIP = "skip"
    UPSTREAM_FAILED = "upstream_failed"


NOT_STARTED = {Verdict.SKIP: Status.SKIPPED, Verdict.UPSTREAM_FAILED: Status.UPSTREAM_FAILED}
"""The status of a stage that is not to start, by the verdict."""


class _Tally:
    """How many upstream states there are of each kind."""

    def __init__(self, upstream: Sequence[Status]) -> None:
        counts = Counter(upstream)
        self.total = len(upstream)
        self.success = sum(counts[status] for status in SUCCESSFUL)
        self.skipped = counts[Status.SKIPPED]
        self.failed = (
            counts[Status.FAILED] + counts[Status.UPSTREAM_FAILED] + counts[Status.CANCELLED]
        )
        self.done = sum(counts[status] for status in FINISHED) == self.total


def _all_success(t: _Tally) -> Verdict:
    if t.failed:
        return Verdict.UPSTREAM_FAILED
    if t.skipped:
        return Verdict.SKIP
    return Verdict.START if t.success == t.total else Verdict.WAIT


def _all_done(t: _Tally) -> Verdict:
    return Verdict.START if t.done else Verdict.WAIT


def _all_failed(t: _Tally) -> Verdict:
    if t.success or t.skipped:
        return Verdict.SKIP
    return Verdict.START if t.failed == t.total else Verdict.WAIT


def _one_success(t: _Tally) -> Verdict:
    if t.success or not t.total:
        return Verdict.START
    if not t.done:
        return Verdict.WAIT
    return Verdict.SKIP if t.skipped == t.total else Verdict.UPSTREAM_FAILED


def _one_failed(t: _Tally) -> Verdict:
    if t.failed or not t.total:
        return Verdict.START
    return Verdict.SKIP if t.done else Verdict.WAIT


def _none_failed(t: _Tally) -> Verdict:
    if t.failed:
        return Verdict.UPSTREAM_FAILED
    return Verdict.START if t.done else Verdict.WAIT


def _none_failed_min_one_success(t: _Tally) -> Verdict:
    if t.failed:
        return Verdict.UPSTREAM_FAILED
    if t.total and t.skipped == t.total:
        return Verdict.SKIP
    return Verdict.START if t.done else Verdict.WAIT


def _always(_: _Tally) -> Verdict:
    return Verdict.START


_RULES = {
    TriggerRule.ALL_SUCCESS: _all_success,
    TriggerRule.ALL_DONE: _all_done,
    TriggerRule.ALL_FAILED: _all_failed,
    TriggerRule.ONE_SUCCESS: _one_success,
    TriggerRule.ONE_FAILED: _one_failed,
    TriggerRule.NONE_FAILED: _none_failed,
    TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS: _none_failed_min_one_success,
    TriggerRule.ALWAYS: _always,
}


def judge(rule: TriggerRule, upstream: Sequence[Status]) -> Verdict:
    """Say whether a stage starts, waits, is skipped, or has failed with its upstream.

    Parameters
    ----------
    rule : TriggerRule
        The stage's rule.
    upstream : sequence of Status
        The present states of all its upstream stages; a stage without any starts.

    Returns
    -------
    Verdict
        `WAIT` only while an upstream stage has not finished.
    """
    return _RULES[rule](_Tally(upstream))


def blame(rule: TriggerRule, verdict: Verdict, upstream: Iterable[StageRecord]) -> str:
    """Say which upstream stages decided that a stage does not start."""
    spared = SUCCESSFUL if verdict is Verdict.UPSTREAM_FAILED else frozenset()
    told = [f"{r.id} {r.status.value}" for r in upstream if r.status in FINISHED - spared]
    return f"{rule.value}: {', '.join(dict.fromkeys(told))}"
