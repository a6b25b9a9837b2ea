"""Trigger rules: which upstream states let a stage start.

The rules and their meaning are Airflow's (`airflow.ti_deps.deps.trigger_rule_dep`): `cached` counts
as success, and a rule may decide before every upstream stage has finished, if nothing that is still
to come would have it say something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import combinations, product

from mlkit.core.record import StageRecord
from mlkit.core.states import FINISHED, SUCCESSFUL, Status
from mlkit.frozen import dataclass

__all__ = [
    "NOT_STARTED",
    "Tally",
    "TriggerRule",
    "Verdict",
    "blame",
    "judge",
    "judge_all",
    "judge_tally",
]


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


_MOST_NAMED = 20
"""Of a map of thousands not everybody needs all the names, in every record."""

NOT_STARTED = {Verdict.SKIP: Status.SKIPPED, Verdict.UPSTREAM_FAILED: Status.UPSTREAM_FAILED}
"""The status of a stage that is not to start, by the verdict."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many upstream states there are of each kind; tallies of several references add up."""

    total: int = 0
    success: int = 0
    skipped: int = 0
    failed: int = 0
    finished: int = 0

    @classmethod
    def of(cls, counts: Mapping[Status, int]) -> Tally:
        """Sum up how often each state is there."""
        total = success = skipped = failed = finished = 0
        for status, count in counts.items():
            total += count
            success += count if status in SUCCESSFUL else 0
            skipped += count if status is Status.SKIPPED else 0
            failed += count if status in _FAILED else 0
            finished += count if status in FINISHED else 0
        return cls(total=total, success=success, skipped=skipped, failed=failed, finished=finished)

    def __add__(self, other: Tally) -> Tally:
        """The tally of both."""
        return Tally(
            total=self.total + other.total,
            success=self.success + other.success,
            skipped=self.skipped + other.skipped,
            failed=self.failed + other.failed,
            finished=self.finished + other.finished,
        )

    @property
    def done(self) -> bool:
        """Whether all have finished."""
        return self.finished == self.total

    @property
    def outline(self) -> tuple[bool, ...]:
        """All that a rule looks at: as long as it stays the same, no verdict changes."""
        kinds = (self.success, self.skipped, self.failed)
        return (*(count > 0 for count in kinds), *(n == self.total for n in kinds), self.done)


_FAILED = frozenset({Status.FAILED, Status.UPSTREAM_FAILED, Status.CANCELLED})


def _all_success(t: Tally) -> Verdict:
    if t.failed:
        return Verdict.UPSTREAM_FAILED
    if not t.done:  # Airflow skips here at once; then it is a race what comes of a later failure
        return Verdict.WAIT
    return Verdict.SKIP if t.skipped else Verdict.START


def _all_done(t: Tally) -> Verdict:
    return Verdict.START if t.done else Verdict.WAIT


def _all_failed(t: Tally) -> Verdict:
    if t.success or t.skipped:
        return Verdict.SKIP
    return Verdict.START if t.failed == t.total else Verdict.WAIT


def _one_success(t: Tally) -> Verdict:
    if t.success or not t.total:
        return Verdict.START
    if not t.done:
        return Verdict.WAIT
    return Verdict.SKIP if t.skipped == t.total else Verdict.UPSTREAM_FAILED


def _one_failed(t: Tally) -> Verdict:
    if t.failed or not t.total:
        return Verdict.START
    return Verdict.SKIP if t.done else Verdict.WAIT


def _none_failed(t: Tally) -> Verdict:
    if t.failed:
        return Verdict.UPSTREAM_FAILED
    return Verdict.START if t.done else Verdict.WAIT


def _none_failed_min_one_success(t: Tally) -> Verdict:
    if t.failed:
        return Verdict.UPSTREAM_FAILED
    if t.total and t.skipped == t.total:
        return Verdict.SKIP
    return Verdict.START if t.done else Verdict.WAIT


def _always(_: Tally) -> Verdict:
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
    return judge_tally(rule, Tally.of(Counter(upstream)))


def judge_tally(rule: TriggerRule, upstream: Tally) -> Verdict:
    """Say the same as `judge` of states that have been counted already."""
    return _RULES[rule](upstream)


def judge_all(rule: TriggerRule, upstream: Iterable[frozenset[Status]]) -> frozenset[Verdict]:
    """Say all that a rule may come to say, where of each upstream stage several ends are possible.

    A rule asks of each state only whether any stage has it, and whether all have. So for stages of
    which the same is possible it is enough to try which of these states occur among them.
    """
    kinds = Counter(upstream)
    tallies = ([Tally.of(c) for c in _mixtures(ends, n)] for ends, n in kinds.items())
    return frozenset(judge_tally(rule, sum(mixture, Tally())) for mixture in product(*tallies))


def _mixtures(ends: frozenset[Status], number: int) -> Iterator[Counter[Status]]:
    """Each choice of states that occur among so many stages, with counts that add up."""
    for size in range(1, min(len(ends), number) + 1):
        for first, *others in combinations(sorted(ends), size):
            yield Counter({first: number - len(others), **dict.fromkeys(others, 1)})


def blame(rule: TriggerRule, verdict: Verdict, upstream: Iterable[StageRecord]) -> str:
    """Say which upstream stages decided that a stage does not start."""
    spared = SUCCESSFUL if verdict is Verdict.UPSTREAM_FAILED else frozenset()
    told = (f"{r.id} {r.status.value}" for r in upstream if r.status in FINISHED - spared)
    names = list(dict.fromkeys(told))
    more = [f"and {len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
    return f"{rule.value}: {', '.join([*names[:_MOST_NAMED], *more])}"
