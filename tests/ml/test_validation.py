"""Validation: real data pass, and every broken rule is reported, all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from mlkit.ml.data_rules import Limits
from mlkit.ml.stage_errors import ValidationFailedError
from mlkit.ml.validation import find_facts, require_valid, validate

Tables = dict[str, pd.DataFrame]


def _broken(tables: Tables, limits: Limits | None = None) -> list[tuple[str, str, str]]:
    report = validate(tables, limits or Limits())
    return [(r["table"], r["column"], r["rule"]) for r in report["results"] if not r["passed"]]


def _with(tables: Tables, table: str, column: str, value: Any) -> Tables:
    changed = tables[table].astype({column: "object"})
    changed.loc[changed.index[0], column] = value
    return tables | {table: changed.assign(**{column: changed[column].infer_objects()})}


def test_real_data_pass(raw: Tables) -> None:
    """The report counts its rules and says what it looked at."""
    report = validate(raw, Limits())
    require_valid(report)
    assert report["passed"] is True
    assert report["rules"] == len(report["results"])
    assert report["rows"] == 2400
    assert 0.1 < report["minority_share"] < 0.5


@pytest.mark.parametrize(
    ("table", "column", "value", "rule"),
    [
        ("flights", "month", 13, "lies between 1 and 12"),
        ("flights", "distance", -5, "lies between 1 and 12000"),
        ("flights", "sched_dep_time", 1299, "is a time of the day (1755 for 17:55)"),
        ("flights", "carrier", "United", "is a code of 2 signs"),
        ("flights", "origin", None, "has no missing values"),
        ("weather", "humid", 140.0, "lies between 0 and 100"),
        ("weather", "time_hour", None, "has no missing values"),
        ("planes", "seats", 0, "lies between 1 and 900"),
    ],
)
def test_one_wrong_value_breaks_its_rule_only(
    raw: Tables, table: str, column: str, value: Any, rule: str
) -> None:
    """The report names table, column and rule."""
    assert (table, column, rule) in _broken(_with(raw, table, column, value))
    assert len(_broken(_with(raw, table, column, value))) == 1


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("flights", "time_hour, carrier, flight, origin"),
        ("weather", "origin, time_hour"),
        ("planes", "tailnum"),
    ],
)
def test_a_key_that_stands_twice_is_found(raw: Tables, table: str, key: str) -> None:
    """A join would multiply rows."""
    twice = pd.concat([raw[table], raw[table].head(1)], ignore_index=True)
    expected = [(table, "(whole table)", f"no two rows have the same {key}")]
    assert _broken(raw | {table: twice}) == expected


def _few(flights: pd.DataFrame) -> pd.DataFrame:
    return flights.head(499)


def _punctual(flights: pd.DataFrame) -> pd.DataFrame:
    return flights.assign(arr_delay=flights["arr_delay"].clip(upper=0))


def _cancelled(flights: pd.DataFrame) -> pd.DataFrame:
    rare = flights.index % 4 == 0
    return flights.assign(arr_delay=flights["arr_delay"].where(~rare))


def _next_year(flights: pd.DataFrame) -> pd.DataFrame:
    return flights.assign(time_hour=flights["time_hour"] + pd.Timedelta(days=365))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_few, "at least 500 rows (found 499)"),
        (_punctual, "the rarer class is at least 10.0% of the arrivals (found 0.0%)"),
        (_cancelled, "at most 20.0% of the flights never arrived"),
        (_next_year, "at least 90.0% of the flights have weather (found 0.0%)"),
    ],
)
def test_a_share_out_of_bounds_is_found(
    raw: Tables, change: Callable[[pd.DataFrame], pd.DataFrame], rule: str
) -> None:
    """The rule says what was wanted and what was found."""
    broken = _broken(raw | {"flights": change(raw["flights"])})
    assert len(broken) == 1
    assert rule in broken[0][2]


def test_a_few_faulty_wind_readings_are_borne(raw: Tables) -> None:
    """The record of 2013 has one of 1,048 mph; many of them would be another matter."""
    assert raw["weather"]["wind_speed"].max() > 1000
    gale = raw["weather"].assign(wind_speed=400.0)
    assert [b[:2] for b in _broken(raw | {"weather": gale})] == [("weather", "wind_speed")]


def test_all_broken_rules_are_reported_at_once(raw: Tables) -> None:
    """One message names every one of them, with examples."""
    broken = _with(_with(raw, "flights", "month", 13), "planes", "seats", -1)
    few = broken | {"flights": broken["flights"].head(100)}
    report = validate(few, Limits())
    assert report["passed"] is False
    with pytest.raises(ValidationFailedError) as caught:
        require_valid(report)
    text = str(caught.value)
    assert text.startswith(f"3 of {report['rules']} rules are broken: ")
    assert "flights.month: lies between 1 and 12 (found 13)" in text
    assert "flights: there are at least 500 rows (found 100)" in text
    assert "planes.seats: lies between 1 and 900 (found -1)" in text


def test_a_missing_column_is_reported(raw: Tables) -> None:
    """Besides all else."""
    table = raw["planes"].drop(columns="seats")
    assert ("planes", "seats", "the column is there") in _broken(raw | {"planes": table})


def test_empty_tables_have_facts(raw: Tables) -> None:
    """Nothing is divided by zero."""
    facts = find_facts(raw["flights"].head(0), raw["weather"].head(0), Limits())
    assert (facts.rows, facts.minority_share, facts.weather_share) == (0, 0.0, 0.0)
