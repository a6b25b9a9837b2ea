"""From raw flights to one clean table: cancelled flights out, weather and planes joined."""

from __future__ import annotations

import pandas as pd

from mlkit.ml.stage_errors import DataError

__all__ = ["HIGHEST_WIND_MPH", "clean", "losses", "minutes_of_day"]

HIGHEST_WIND_MPH = 150.0
"""Readings above are faults of the instrument (the record of 2013 has one of 1,048 mph)."""

_PLANE_COLUMNS = {"year": "built", "manufacturer": "manufacturer", "seats": "seats"}


def minutes_of_day(clock: pd.Series) -> pd.Series:
    """Turn clock readings such as 1755 into minutes after midnight.

    Parameters
    ----------
    clock : Series of shape (n_rows,)
        Times as hours · 100 + minutes.

    Returns
    -------
    Series of shape (n_rows,)
        Minutes after midnight, 0 to 1440.
    """
    return clock // 100 * 60 + clock % 100


def _plausible(weather: pd.DataFrame) -> pd.DataFrame:
    """The weather with impossible wind readings taken as missing."""
    speeds = ["wind_speed", "wind_gust"]
    readings = weather[speeds]
    return weather.assign(**readings.where(readings <= HIGHEST_WIND_MPH))


def _day(flights: pd.DataFrame) -> pd.Series:
    """The local day of each flight."""
    return pd.to_datetime(flights[["year", "month", "day"]]).dt.as_unit("s")


def clean(
    flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame, late_minutes: int
) -> pd.DataFrame:
    """Drop flights that never arrived, join weather and planes, and build the target.

    Parameters
    ----------
    flights : DataFrame of shape (n_flights, n_columns)
        The collected flights.
    weather : DataFrame of shape (n_hours, n_columns)
        One row for each airport and hour; joined by airport and scheduled hour.
    planes : DataFrame of shape (n_planes, n_columns)
        One row for each tail number.
    late_minutes : int
        A flight is late if it arrives more than so many minutes after schedule.

    Returns
    -------
    DataFrame of shape (n_arrived, n_columns)
        In order of time, with `day` (local), `built` (year) and `late` (0 or 1).

    Raises
    ------
    DataError
        No flight arrived, or a join multiplied rows.
    """
    arrived = flights[flights["arr_delay"].notna()]
    if arrived.empty:
        raise DataError("no flight of the sample arrived; choose other months or more rows")
    plane = planes[["tailnum", *_PLANE_COLUMNS]].rename(columns=_PLANE_COLUMNS)
    joined = arrived.merge(_plausible(weather), on=["origin", "time_hour"], how="left").merge(
        plane, on="tailnum", how="left"
    )
    if len(joined) != len(arrived):
        raise DataError("an airport's hour or a tail number stands twice; validate the data first")
    return joined.assign(
        day=_day(joined), late=(joined["arr_delay"] > late_minutes).astype("int64")
    )


def losses(flights: pd.DataFrame, cleaned: pd.DataFrame) -> pd.DataFrame:
    """Count what cleaning dropped and what the joins did not find.

    Parameters
    ----------
    flights : DataFrame of shape (n_flights, n_columns)
        Before cleaning.
    cleaned : DataFrame of shape (n_arrived, n_columns)
        After cleaning.

    Returns
    -------
    DataFrame of shape (5, 2)
        Columns `flights` (a count) and `share` (of all collected flights).
    """
    counts = {
        "collected": len(flights),
        "cancelled or diverted, dropped": len(flights) - len(cleaned),
        "kept": len(cleaned),
        "kept, but without weather": int(cleaned["temp"].isna().sum()),
        "kept, but of an unknown plane": int(cleaned["seats"].isna().sum()),
    }
    table = pd.DataFrame({"flights": pd.Series(counts)})
    return table.assign(share=(table["flights"] / len(flights)).round(4))
