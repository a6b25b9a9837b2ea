"""Trigger rules against Airflow's, restated as data: every rule, every combination of states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations_with_replacement, permutations

import pytest

from mlkit.core.states import Status
from mlkit.core.triggers import TriggerRule, Verdict, judge

GROUPS = {
    Status.WAITING: "open",
    Status.RUNNING: "open",
    Status.SUCCEEDED: "success",
    Status.CACHED: "success",
    Status.FAILED: "failed",
    Status.UPSTREAM_FAILED: "failed",
    Status.CANCELLED: "failed",
    Status.SKIPPED: "skipped",
}
"""`cached` counts as success; what was cancelled has failed."""

Clause = tuple[Callable[[Counter[str], int], bool], Verdict]
AIRFLOW: dict[str, list[Clause]] = {
    "all_success": [
        (lambda c, n: c["failed"] > 0, Verdict.UPSTREAM_FAILED),
        (lambda c, n: c["open"] > 0, Verdict.WAIT),
        (lambda c, n: c["skipped"] > 0, Verdict.SKIP),
    ],
    "all_done": [(lambda c, n: c["open"] > 0, Verdict.WAIT)],
    "all_failed": [
        (lambda c, n: c["success"] > 0 or c["skipped"] > 0, Verdict.SKIP),
        (lambda c, n: c["open"] > 0, Verdict.WAIT),
    ],
    "one_success": [
        (lambda c, n: c["success"] > 0 or n == 0, Verdict.START),
        (lambda c, n: c["open"] > 0, Verdict.WAIT),
        (lambda c, n: c["skipped"] == n, Verdict.SKIP),
        (lambda c, n: True, Verdict.UPSTREAM_FAILED),
    ],
    "one_failed": [
        (lambda c, n: c["failed"] > 0 or n == 0, Verdict.START),
        (lambda c, n: c["open"] > 0, Verdict.WAIT),
        (lambda c, n: True, Verdict.SKIP),
    ],
    "none_failed": [
        (lambda c, n: c["failed"] > 0, Verdict.UPSTREAM_FAILED),
        (lambda c, n: c["open"] > 0, Verdict.WAIT),
    ],
    "none_failed_min_one_success": [
        (lambda c, n: c["failed"] > 0, Verdict.UPSTREAM_FAILED),
        (lambda c, n: c["open"] > 0, Verdict.WAIT),
        (lambda c, n: n > 0 and c["skipped"] == n, Verdict.SKIP),
    ],
    "always": [],
}
"""For each rule its clauses in order; the first that holds decides, otherwise the stage starts."""

STATES = tuple(status for status in Status if status is not Status.LOST)
"""Those of a stage; only an attempt is ever lost."""

COMBINATIONS = [
    states for size in range(4) for states in combinations_with_replacement(STATES, size)
]


def airflow(rule: str, states: tuple[Status, ...]) -> Verdict:
    """What the clauses say."""
    counts = Counter(GROUPS[status] for status in states)
    for holds, verdict in AIRFLOW[rule]:
        if holds(counts, len(states)):
            return verdict
    return Verdict.START


def test_every_rule_and_every_state_is_restated() -> None:
    """Nothing is left out of the tables above."""
    assert set(AIRFLOW) == {rule.value for rule in TriggerRule}
    assert set(GROUPS) == set(STATES)
    assert len(COMBINATIONS) == 1 + 8 + 36 + 120


@pytest.mark.parametrize("rule", TriggerRule)
def test_the_rule_is_airflows(rule: TriggerRule) -> None:
    """For every multiset of up to three upstream states."""
    expected = {states: airflow(rule.value, states) for states in COMBINATIONS}
    assert {states: judge(rule, states) for states in COMBINATIONS} == expected


@pytest.mark.parametrize("rule", TriggerRule)
def test_the_order_of_upstream_states_does_not_matter(rule: TriggerRule) -> None:
    """Only which states there are."""
    for states in COMBINATIONS:
        assert len({judge(rule, order) for order in permutations(states)}) == 1


@pytest.mark.parametrize("rule", TriggerRule)
def test_nobody_waits_when_all_upstream_is_done(rule: TriggerRule) -> None:
    """A run cannot hang on a rule; and a stage without upstream starts."""
    assert judge(rule, ()) is Verdict.START
    for states in COMBINATIONS:
        if "open" not in {GROUPS[status] for status in states}:
            assert judge(rule, states) is not Verdict.WAIT


@pytest.mark.parametrize("rule", TriggerRule)
def test_an_early_verdict_is_never_taken_back(rule: TriggerRule) -> None:
    """What is decided while stages are still running holds however they end."""
    done = [status for status in STATES if GROUPS[status] != "open"]
    for states in COMBINATIONS:
        verdict = judge(rule, states)
        if verdict is Verdict.WAIT or Status.RUNNING not in states:
            continue
        place = states.index(Status.RUNNING)
        ends = {judge(rule, (*states[:place], end, *states[place + 1 :])) for end in done}
        assert ends == {verdict}
