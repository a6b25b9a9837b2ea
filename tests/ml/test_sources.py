"""Choosing months and rows, and bringing a table to its columns."""

from __future__ import annotations

import pandas as pd
import pytest

from mlkit.ml.sources import (
    COLUMNS,
    check_months,
    check_rows,
    choose_flights,
    choose_month,
    conform,
)
from mlkit.ml.stage_errors import DataError


def _flights(**changes: object) -> pd.DataFrame:
    columns: dict[str, object] = {
        "year": [2013, 2013, 2013],
        "month": [2, 1, 1],
        "day": [1, 2, 1],
        "sched_dep_time": [600, 600, 600],
        "sched_arr_time": [800, 800, 800],
        "arr_delay": [5.0, None, 20.0],
        "carrier": ["UA", "AA", "UA"],
        "flight": [1, 2, 3],
        "tailnum": ["N1", None, "N3"],
        "origin": ["EWR", "JFK", "LGA"],
        "dest": ["IAH", "MIA", "IAH"],
        "distance": [1400, 1089, 1416],
        "time_hour": ["2013-02-01T11:00Z", "2013-01-02T11:00Z", "2013-01-01T11:00Z"],
    }
    return pd.DataFrame(columns | changes)


@pytest.mark.parametrize(
    ("months", "message"),
    [
        ([13], r"month 13 is not one of 1…12"),
        ([0, 1], r"month 0 is not one of 1…12"),
        ([True], r"month True is not one of 1…12"),
        (["1"], r"month '1' is not one of 1…12"),
        ([1.0], r"month 1\.0 is not one of 1…12"),
        ([], r"months is empty; name at least one month"),
        ([3, 1, 3], r"month 3 is named twice"),
    ],
)
def test_months_that_are_none_are_named(months: list[int], message: str) -> None:
    """The value stands in the message."""
    with pytest.raises(DataError, match=message):
        check_months(months)


def test_months_are_sorted() -> None:
    """Their order in the parameter does not matter."""
    assert check_months([3, 1, 2]) == (1, 2, 3)


@pytest.mark.parametrize("rows", [-1, 2.5, True])
def test_rows_that_are_none_are_named(rows: int) -> None:
    """The value stands in the message, with what would do."""
    with pytest.raises(DataError, match=rf"rows={rows!r} .*give 0 for all"):
        check_rows(rows)


def test_missing_columns_are_named_all_at_once() -> None:
    """With a suggestion for the first one."""
    table = _flights().drop(columns=["dest"]).rename(columns={"carrier": "carier"})
    with pytest.raises(DataError) as caught:
        conform(table, "flights")
    assert str(caught.value) == (
        "the table 'flights' lacks the columns 'carrier', 'dest'; "
        "did you mean 'carier' for 'carrier'?"
    )


def test_unknown_columns_are_dropped_and_late_ones_kept() -> None:
    """What is known later is kept, so that the features stage can refuse it by name."""
    table = conform(_flights(dep_delay=[1, 2, 3], weird=[0, 0, 0]), "flights")
    assert list(table.columns) == [*COLUMNS["flights"], "dep_delay"]


def test_text_from_a_database_becomes_numbers_and_times() -> None:
    """Types do not depend on where a table came from."""
    table = conform(_flights(distance=["1400", "1089", "1416"]), "flights")
    assert table["distance"].tolist() == [1400, 1089, 1416]
    assert str(table["time_hour"].dtype) == "datetime64[s, UTC]"


@pytest.mark.parametrize(
    ("column", "value", "noun"),
    [("distance", "far", "a number"), ("time_hour", "noon", "a time")],
)
def test_a_value_of_another_type_is_named(column: str, value: str, noun: str) -> None:
    """The column, the value, how often, and what was expected."""
    table = _flights(**{column: [value, value, None]})
    with pytest.raises(DataError, match=f"'{column}' of 'flights' holds '{value}' in 2 .*{noun}"):
        conform(table, "flights")


def test_flights_are_put_in_order_of_time() -> None:
    """Whatever the order of the source."""
    chosen = choose_flights(conform(_flights(), "flights"), [1, 2], 0, 42)
    assert chosen["flight"].tolist() == [3, 2, 1]


def test_a_sample_is_reproducible_and_does_not_depend_on_the_order_of_the_source(
    raw: dict[str, pd.DataFrame],
) -> None:
    """Same months, rows and seed: same flights. Another seed: others."""
    flights = raw["flights"]
    one = choose_flights(flights, [1, 3], 100, 7)
    two = choose_flights(flights.sample(frac=1.0, random_state=1), [3, 1], 100, 7)
    pd.testing.assert_frame_equal(one, two)
    assert len(one) == 100
    assert one["time_hour"].is_monotonic_increasing
    assert set(one["month"]) == {1, 3}
    assert not one.equals(choose_flights(flights, [1, 3], 100, 8))


def test_more_rows_than_there_are_keep_all() -> None:
    """As does 0."""
    flights = conform(_flights(), "flights")
    assert len(choose_flights(flights, [1, 2], 99, 42)) == 3
    assert len(choose_flights(flights, [1, 2], 0, 42)) == 3


def test_months_without_flights_are_named() -> None:
    """With the months that the source holds."""
    with pytest.raises(DataError, match=r"no flights in months \[7\]; it holds \[1, 2\]"):
        choose_flights(conform(_flights(), "flights"), [7], 0, 42)


@pytest.mark.parametrize("date", ["2013-01-01", "2013-01-31", "2013-01-01T00:00:00-05:00"])
def test_the_month_of_a_date_is_chosen(date: str) -> None:
    """Whichever day of it the interval begins on."""
    chosen = choose_month(conform(_flights(), "flights"), date, 0, 42)
    assert list(chosen["flight"]) == [3, 2]


@pytest.mark.parametrize(
    ("date", "message"),
    [
        ("2014-01-01", "no flights of 2014-01; it holds months from 2013-01 to 2013-02"),
        ("2013-03-01", "no flights of 2013-03; it holds months from 2013-01 to 2013-02"),
        ("January", "logical_date='January' is no ISO date"),
    ],
)
def test_a_month_that_is_not_there_is_named(date: str, message: str) -> None:
    """Another year's month of the same number does not stand for it."""
    with pytest.raises(DataError, match=message):
        choose_month(conform(_flights(), "flights"), date, 0, 42)
