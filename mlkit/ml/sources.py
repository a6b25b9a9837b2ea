"""Collect the three tables of the pipeline and choose months and rows."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from mlkit.ml.reading import read_source
from mlkit.ml.stage_errors import DataError

__all__ = [
    "COLUMNS",
    "OPTIONAL_COLUMNS",
    "check_months",
    "check_rows",
    "choose_flights",
    "choose_month",
    "collect",
    "conform",
]

Kind = Literal["number", "text", "time"]

COLUMNS: dict[str, dict[str, Kind]] = {
    "flights": {
        "year": "number",
        "month": "number",
        "day": "number",
        "sched_dep_time": "number",
        "sched_arr_time": "number",
        "arr_delay": "number",
        "carrier": "text",
        "flight": "number",
        "tailnum": "text",
        "origin": "text",
        "dest": "text",
        "distance": "number",
        "time_hour": "time",
    },
    "weather": {
        "origin": "text",
        "time_hour": "time",
        "temp": "number",
        "dewp": "number",
        "humid": "number",
        "wind_dir": "number",
        "wind_speed": "number",
        "wind_gust": "number",
        "precip": "number",
        "pressure": "number",
        "visib": "number",
    },
    "planes": {
        "tailnum": "text",
        "year": "number",
        "manufacturer": "text",
        "engines": "number",
        "seats": "number",
    },
}
OPTIONAL_COLUMNS: dict[str, tuple[str, ...]] = {
    "flights": ("dep_time", "dep_delay", "arr_time", "air_time"),
    "weather": (),
    "planes": (),
}
_LAST_MONTH = 12


def check_months(months: Sequence[int]) -> tuple[int, ...]:
    """Check the choice of months and sort it.

    Parameters
    ----------
    months : sequence of int
        At least one month, each from 1 to 12, none twice.

    Raises
    ------
    DataError
        The choice is empty, names a month twice, or names something that is no month.
    """
    if not months:
        raise DataError("months is empty; name at least one month, such as [1, 2, 3]")
    for month in months:
        if isinstance(month, bool) or not isinstance(month, int) or not 1 <= month <= _LAST_MONTH:
            raise DataError(f"month {month!r} is not one of 1…12")
    twice = sorted({month for month in months if months.count(month) > 1})
    if twice:
        raise DataError(f"month {twice[0]} is named twice in months; name each month once")
    return tuple(sorted(months))


def check_rows(rows: int) -> int:
    """Check the number of rows to keep: 0 for all, or a positive number.

    Parameters
    ----------
    rows : int
        The number.

    Raises
    ------
    DataError
        The number is negative or no whole number.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 0:
        raise DataError(f"rows={rows!r} is not a number of rows; give 0 for all, or 1 and above")
    return rows


def _as_number(column: pd.Series) -> pd.Series:
    """The column as numbers; what is no number becomes missing."""
    return pd.to_numeric(column, errors="coerce")


def _as_time(column: pd.Series) -> pd.Series:
    """The column as UTC times in whole seconds; what is no time becomes missing."""
    times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    return times.dt.as_unit("s")


def _as_text(column: pd.Series) -> pd.Series:
    """The column as text; missing values stay missing."""
    return column.astype("str")


_CONVERTERS = {"number": _as_number, "time": _as_time, "text": _as_text}


def conform(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Check that a table has its columns, and bring them to their types and order.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        The table as read.
    name : str
        "flights", "weather" or "planes".

    Returns
    -------
    DataFrame of shape (n_rows, n_known_columns)
        The known columns only.

    Raises
    ------
    DataError
        Columns are missing (all are named), or a value is not of its column's type.
    """
    wanted = COLUMNS[name]
    missing = [column for column in wanted if column not in table.columns]
    if missing:
        raise DataError(f"the table {name!r} lacks {_missing_text(missing, list(table.columns))}")
    kinds = wanted | {c: "number" for c in OPTIONAL_COLUMNS[name] if c in table.columns}
    return pd.DataFrame({c: _converted(table[c], kind, name) for c, kind in kinds.items()})


def _missing_text(missing: Sequence[str], present: Sequence[str]) -> str:
    """Name the missing columns, and the column that was perhaps meant."""
    noun = "the column" if len(missing) == 1 else "the columns"
    text = f"{noun} {', '.join(repr(column) for column in missing)}"
    near = difflib.get_close_matches(missing[0], present, n=1)
    return f"{text}; did you mean {near[0]!r} for {missing[0]!r}?" if near else text


def _converted(column: pd.Series, kind: Kind, table: str) -> pd.Series:
    """The column in its type.

    Raises
    ------
    DataError
        A value that was there got lost on the way.
    """
    result = _CONVERTERS[kind](column)
    lost = column.notna() & result.isna()
    if lost.any():
        value, noun = column[lost].iloc[0], {"number": "a number", "time": "a time"}[kind]
        raise DataError(
            f"the column {column.name!r} of {table!r} holds {value!r} in {int(lost.sum())} rows, "
            f"which is not {noun}"
        )
    return result


def choose_flights(
    flights: pd.DataFrame, months: Sequence[int], rows: int, seed: int
) -> pd.DataFrame:
    """Choose months and, if wanted, a reproducible sample of rows, in order of time.

    Parameters
    ----------
    flights : DataFrame of shape (n_flights, n_columns)
        The conformed table of flights.
    months : sequence of int
        Months from 1 to 12.
    rows : int
        How many rows to keep; 0, or more than there are, keeps all.
    seed : int
        The seed of the sample.

    Returns
    -------
    DataFrame of shape (min(rows, n_chosen), n_columns)
        Sorted by scheduled departure.

    Raises
    ------
    DataError
        Months or rows are out of range, or no flight is left.
    """
    months, rows = check_months(months), check_rows(rows)
    chosen = flights[flights["month"].isin(months)]
    if chosen.empty:
        held = sorted(int(month) for month in flights["month"].dropna().unique())
        raise DataError(f"the source has no flights in months {list(months)}; it holds {held}")
    chosen = chosen.sort_values(
        ["time_hour", "sched_dep_time", "carrier", "flight", "origin"], kind="stable"
    )
    if 0 < rows < len(chosen):
        kept = np.random.default_rng(seed).choice(len(chosen), size=rows, replace=False)
        chosen = chosen.iloc[np.sort(kept)]
    return chosen.reset_index(drop=True)


def choose_month(flights: pd.DataFrame, logical_date: str, rows: int, seed: int) -> pd.DataFrame:
    """Choose the flights of the month in which an interval of a schedule begins.

    Parameters
    ----------
    flights : DataFrame of shape (n_flights, n_columns)
        The conformed table of flights.
    logical_date : str
        The start of the interval, an ISO date or moment such as `2013-01-01T00:00:00+00:00`.
    rows, seed : int
        As for `choose_flights`.

    Returns
    -------
    DataFrame of shape (min(rows, n_of_the_month), n_columns)
        Sorted by scheduled departure.

    Raises
    ------
    DataError
        The date is none, or the source has no flights of that month and year.
    """
    try:
        day = dt.datetime.fromisoformat(logical_date)
    except ValueError:
        raise DataError(f"logical_date={logical_date!r} is no ISO date") from None
    held = sorted({*zip(flights["year"], flights["month"], strict=True)})
    if (day.year, day.month) not in held:
        first, last = (f"{year:.0f}-{month:02.0f}" for year, month in (held[0], held[-1]))
        raise DataError(
            f"the source has no flights of {day:%Y-%m}; it holds months from {first} to {last}"
        )
    return choose_flights(flights[flights["year"] == day.year], [day.month], rows, seed)


def collect(source: str, table: str) -> pd.DataFrame:
    """Read a table from its source and bring it to its columns and types.

    Parameters
    ----------
    source : str
        See `mlkit.ml.reading.read_source`.
    table : str
        "flights", "weather" or "planes".

    Returns
    -------
    DataFrame of shape (n_rows, n_known_columns)
        The table.
    """
    return conform(read_source(source, table), table)
