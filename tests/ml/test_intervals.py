"""Intervals over days, against resampling row by row and sklearn's scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from mlkit.ml import intervals

FLIGHTS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.5, 0.9])),
    min_size=2,
    max_size=30,
)
"""Few days and few probabilities: ties and days of one class are usual."""


def _columns(flights: list[tuple[int, int, float]]) -> list[Any]:
    both = [(1, 0, 0.5), (2, 1, 0.5), *flights]
    return [np.array(column) for column in zip(*both, strict=True)]


def _rows(day: Any, draw: Any) -> Any:
    """The rows of a draw, each day's as often as it was drawn."""
    days = np.unique(day)
    times = {d: int(count) for d, count in zip(days, draw, strict=True)}
    return np.concatenate([np.repeat(np.flatnonzero(day == d), times[d]) for d in days]).astype(int)


@settings(deadline=None, max_examples=25)
@given(FLIGHTS)
def test_a_draw_scores_what_its_flights_score(flights: list[tuple[int, int, float]]) -> None:
    """The slow obvious way: take the flights of the drawn days, and ask sklearn."""
    day, late, probability = _columns(flights)
    auc = intervals.auc_draws(day, late, probability)
    pr_auc = intervals.pr_auc_draws(day, late, probability)
    mean = intervals.mean_draws(day, late)
    for number, draw in list(enumerate(intervals.day_draws(day)))[::199]:
        rows = _rows(day, draw)
        truth, predicted = late[rows], probability[rows]
        assert mean[number] == pytest.approx(truth.mean())
        if truth.any():
            expected = metrics.average_precision_score(truth, predicted)
            assert pr_auc[number] == pytest.approx(expected)
        if 0 < truth.sum() < len(truth):
            assert auc[number] == pytest.approx(metrics.roc_auc_score(truth, predicted))
        else:
            assert np.isnan(auc[number])


@settings(deadline=None, max_examples=25)
@given(FLIGHTS)
def test_every_draw_has_as_many_days_as_there_are(flights: list[tuple[int, int, float]]) -> None:
    """And the same ones for every score, so that two models can be compared."""
    day, late, probability = _columns(flights)
    drawn = intervals.day_draws(day)
    assert set(drawn.sum(axis=1)) == {len(np.unique(day))}
    gap = intervals.auc_difference(day, late, probability, probability)
    assert (gap.value, gap.low, gap.high, gap.noise) == (0.0, 0.0, 0.0, 0.0)
    there = intervals.auc_difference(day, late, probability, 1 - probability)
    back = intervals.auc_difference(day, late, 1 - probability, probability)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-(back.high or 0.0))
    assert there.noise == pytest.approx(back.noise)


def test_days_that_differ_widen_the_interval_and_more_flights_do_not_narrow_it() -> None:
    """Ten flights of a day, told ten times each, know nothing more of days."""
    random = np.random.default_rng(1)
    day = np.repeat(np.arange(12), 10)
    late = (random.random(120) < 0.2 + 0.05 * day).astype(int)
    probability = random.random(120)
    once = intervals.with_interval("late", late.mean(), day, intervals.mean_draws(day, late))
    told = np.repeat(late, 10)
    often = intervals.mean_draws(np.repeat(day, 10), told)
    assert intervals.with_interval("late", told.mean(), np.repeat(day, 10), often) == (
        pytest.approx(once)
    )
    low, high = once["late_low"], once["late_high"]
    assert low is not None
    assert high is not None
    assert low < late.mean() < high
    assert intervals.auc_difference(day, late, probability, random.random(120)).noise > 0


def test_one_day_has_no_interval() -> None:
    """Nothing is known of other days, and nothing is invented."""
    scores = intervals.with_interval("auc", 0.7, [1, 1], intervals.mean_draws([1, 1], [0, 1]))
    assert scores == {"auc": 0.7, "auc_low": None, "auc_high": None}
    gap = intervals.auc_difference([1, 1], [0, 1], [0.1, 0.9], [0.9, 0.1])
    assert (gap.value, gap.low, gap.high, gap.noise) == (1.0, None, None, 0.0)


def test_a_score_is_spelled_alike_everywhere() -> None:
    """With its interval if there is one."""
    scores = {"auc": 0.69731, "auc_low": 0.65, "auc_high": 0.7461}
    assert intervals.spelled(scores, "auc") == "0.6973 (0.650 to 0.746)"
    assert intervals.spelled({"auc": 0.69731, "auc_low": None}, "auc") == "0.6973"
