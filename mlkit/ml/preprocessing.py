"""From raw flights to one clean table: cancelled flights out, known weather and planes joined."""

from __future__ import annotations

import pandas as pd

from mlkit.ml.stage_errors import DataError

__all__ = [
    "HIGHEST_WIND_MPH",
    "HOURS_BEFORE",
    "PREVIOUS_DELAY",
    "clean",
    "losses",
    "minutes_of_day",
    "weather_hour",
]

HIGHEST_WIND_MPH = 150.0
"""Readings above are faults of the instrument (the record of 2013 has one of 1,048 mph)."""

HOURS_BEFORE = 1
"""A prediction is made so many hours before departure: when people can still change their plans."""

PREVIOUS_DELAY = "previous_arr_delay"
"""The column with the arrival delay of the aircraft's last leg; `collect` looks it up."""

_OLDEST_HOURS = 6
"""Weather that is older tells of another day; then it counts as missing."""

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


def weather_hour(time_hour: pd.Series, hours_before: int) -> pd.Series:
    """The last hour whose weather is known when a prediction is made.

    An hour's observation is made near its end (most at 51 minutes past). A flight may be scheduled
    at the full hour. An hour before, the hour before has just begun, and the one before that is
    known.

    Parameters
    ----------
    time_hour : Series of shape (n_flights,)
        The hour of scheduled departure, in UTC.
    hours_before : int
        A prediction is made so many hours before the scheduled departure.

    Raises
    ------
    DataError
        The number is negative: a prediction after the departure is none.
    """
    if hours_before < 0:
        raise DataError(
            f"hours_before={hours_before!r} lies after the departure; give 0 hours or more"
        )
    return (time_hour - pd.Timedelta(hours=hours_before + 1)).dt.as_unit("s")


def _known_weather(flights: pd.DataFrame, weather: pd.DataFrame, hours_before: int) -> pd.DataFrame:
    """Give each flight the airport's last observation that is known, and the hour it is of."""
    observed = _plausible(weather).rename(columns={"time_hour": "at"})
    # Parquet gives times back in other units than they had, and only equal units can be matched.
    observed["at"] = observed["at"].dt.as_unit("s")
    observed = observed.assign(weather_hour=observed["at"]).sort_values("at", kind="stable")
    asked = flights.assign(
        at=weather_hour(flights["time_hour"], hours_before), row=range(len(flights))
    ).sort_values("at", kind="stable")
    oldest = pd.Timedelta(hours=_OLDEST_HOURS)
    found = pd.merge_asof(asked, observed, on="at", by="origin", tolerance=oldest)
    return found.sort_values("row").drop(columns=["row", "at"]).reset_index(drop=True)


def clean(
    flights: pd.DataFrame,
    weather: pd.DataFrame,
    planes: pd.DataFrame,
    late_minutes: int,
    hours_before: int = HOURS_BEFORE,
) -> pd.DataFrame:
    """Drop flights that never arrived, join known weather and planes, and build the target.

    Parameters
    ----------
    flights : DataFrame of shape (n_flights, n_columns)
        The collected flights.
    weather : DataFrame of shape (n_hours, n_columns)
        One row for each airport and hour. A flight gets the last one that is known when the
        prediction is made (see `weather_hour`), or an older one, up to six hours.
    planes : DataFrame of shape (n_planes, n_columns)
        One row for each tail number.
    late_minutes : int
        A flight is late if it arrives more than so many minutes after schedule.
    hours_before : int
        A prediction is made so many hours before the scheduled departure.

    Returns
    -------
    DataFrame of shape (n_arrived, n_columns)
        In order of time, with `day` (local), `built` (year), `weather_hour` and `late` (0 or 1).
        `previous_arr_delay` is missing if the flights come without it.

    Raises
    ------
    DataError
        No flight arrived, or an airport's hour or a tail number stands twice.
    """
    arrived = flights[flights["arr_delay"].notna()]
    if arrived.empty:
        raise DataError("no flight of the sample arrived; choose other months or more rows")
    plane = planes[["tailnum", *_PLANE_COLUMNS]].rename(columns=_PLANE_COLUMNS)
    if plane["tailnum"].duplicated().any() or weather.duplicated(["origin", "time_hour"]).any():
        raise DataError("an airport's hour or a tail number stands twice; validate the data first")
    joined = _known_weather(arrived, weather, hours_before).merge(plane, on="tailnum", how="left")
    if PREVIOUS_DELAY not in joined.columns:
        joined = joined.assign(**{PREVIOUS_DELAY: float("nan")})
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
