"""Splitting by time: no day stands in two parts, and the past comes first."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.ml.features import DAY, TARGET
from mlkit.ml.splitting import (
    Parts,
    describe_part,
    random_split,
    rolling_origin,
    split_by_day,
)
from mlkit.ml.stage_errors import DataError


def _table(flights_a_day: list[int]) -> pd.DataFrame:
    days = pd.date_range("2013-01-01", periods=len(flights_a_day), unit="s")
    day = days.repeat(flights_a_day)
    return pd.DataFrame({DAY: day, TARGET: [i % 2 for i in range(len(day))]})


@settings(deadline=None)
@given(
    st.lists(st.integers(2, 9), min_size=3, max_size=40),
    st.floats(0.05, 0.9),
    st.floats(0.05, 0.9),
)
def test_parts_are_whole_days_in_order(days: list[int], train: float, rest: float) -> None:
    """Nothing is lost, no part is empty, and every part lies after the one before it."""
    table = _table(days)
    parts = split_by_day(table, train, (1 - train) * rest)
    pd.testing.assert_frame_equal(pd.concat(parts.named().values(), ignore_index=True), table)
    assert parts.train[DAY].max() < parts.validation[DAY].min()
    assert parts.validation[DAY].max() < parts.test[DAY].min()


def test_shares_are_met_to_the_day(parts: Parts) -> None:
    """On real days, within the size of one day."""
    rows = [len(part) for part in parts.named().values()]
    assert rows[0] / sum(rows) == pytest.approx(0.6, abs=0.02)
    assert rows[1] / sum(rows) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("shares", [(0.0, 0.2), (0.8, 0.2), (0.6, -0.1), (1.2, 0.1)])
def test_shares_that_leave_a_part_empty_are_named(shares: tuple[float, float]) -> None:
    """Both values stand in the message."""
    with pytest.raises(DataError, match=f"train_share={shares[0]}.*validation_share={shares[1]}"):
        split_by_day(_table([5, 5, 5]), *shares)


def test_too_few_days_are_named() -> None:
    """Two days cannot make three parts."""
    with pytest.raises(DataError, match="at least 3 days, the data hold 2"):
        split_by_day(_table([5, 5]), 0.6, 0.2)


def test_a_part_with_one_class_only_is_named() -> None:
    """No score could be computed on it."""
    table = _table([10, 10, 10])
    table.loc[table[DAY] == table[DAY].max(), TARGET] = 0
    with pytest.raises(DataError, match=r"the test part \(10 rows\) holds flights of one class"):
        split_by_day(table, 0.3, 0.3)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=5, max_size=40), st.integers(1, 4))
def test_a_rolling_origin_never_cuts_a_day(days: list[int], folds: int) -> None:
    """Each fold learns from all days before those it asks, and the last days are asked last."""
    table = _table(days).sample(frac=1.0, random_state=1)
    day = table[DAY].to_numpy()
    cut = rolling_origin(table, folds)
    assert len(cut) == folds
    for learned, asked in cut:
        assert len(learned)
        assert day[learned].max() < day[asked].min()
        assert set(day[learned]) == {d for d in day if d < day[asked].min()}
    sizes = [len(set(day[asked])) for _, asked in cut]
    assert max(sizes) - min(sizes) <= 1
    assert day[cut[-1][1]].max() == day.max()


def test_too_few_days_for_the_folds_are_named() -> None:
    """With how many there must be."""
    with pytest.raises(DataError, match="3 folds by time need at least 4 days, the data hold 3"):
        rolling_origin(_table([5, 5, 5]), 3)


def test_a_random_split_mixes_days(parts: Parts) -> None:
    """That is what leaks."""
    table = pd.concat(parts.named().values(), ignore_index=True)
    mixed = random_split(table, 0.6, 0.2, 42)
    assert set(mixed.test[DAY]) & set(mixed.train[DAY])
    assert sum(len(part) for part in mixed.named().values()) == len(table)


def test_a_part_is_described() -> None:
    """Rows, days and base rate."""
    assert describe_part(_table([4, 4])) == {
        "rows": 8,
        "first_day": "2013-01-01",
        "last_day": "2013-01-02",
        "late_share": 0.5,
    }
