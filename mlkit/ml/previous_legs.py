"""What the flight of an aircraft that landed last tells about its next one.

A late aircraft is late again. But a prediction may use only what is known when it is made: of the
legs of an aircraft, those that had landed by then.
"""

from __future__ import annotations

import pandas as pd

from mlkit.ml.preprocessing import HOURS_BEFORE, PREVIOUS_DELAY, minutes_of_day
from mlkit.ml.sources import OPTIONAL_COLUMNS

__all__ = ["landed_at", "scheduled_at", "with_previous_leg"]

_MINUTES_A_DAY = 1440
_LEAST_ON_GROUND = 10
"""Minutes for both ways between gate and runway; fewer than one flight in 5,000 needs less."""

_OLDEST_HOURS = 12
"""A night on the ground ends a delay: older legs tell nothing of today."""


def scheduled_at(flights: pd.DataFrame) -> pd.Series:
    """The moment of scheduled departure, in UTC.

    Parameters
    ----------
    flights : DataFrame of shape (n_flights, n_columns)
        With `time_hour` (the hour, in UTC) and `sched_dep_time` (local, of which only the minute
        counts here).
    """
    minute = pd.to_timedelta(flights["sched_dep_time"] % 100, unit="min")
    moment: pd.Series = (flights["time_hour"] + minute).dt.as_unit("s")
    return moment


def landed_at(flights: pd.DataFrame) -> pd.Series:
    """The moment at which each flight reached its gate, in UTC.

    Both clocks of a flight are local, and nothing says how far apart they are. What they differ by
    beyond the time in the air is the zones' difference, in whole hours, and the time on the ground,
    which seldom reaches an hour: most flights to one place on one day agree on the hours. A flight
    that waited for longer than they did is given that time; none is said to land too early.

    Parameters
    ----------
    flights : DataFrame of shape (n_flights, n_columns)
        With the columns of `scheduled_at`, the date, `dest`, `dep_time`, `dep_delay`, `arr_time`
        and `air_time`.

    Returns
    -------
    Series of shape (n_flights,)
        UTC; missing where one of the columns is.
    """
    clocks = minutes_of_day(flights["arr_time"]) - minutes_of_day(flights["dep_time"])
    beyond = (clocks - flights["air_time"] - _LEAST_ON_GROUND) % _MINUTES_A_DAY
    place_and_day = [flights[column] for column in ("dest", "year", "month", "day")]
    hours = (beyond // 60).groupby(place_and_day).transform("median") // 1
    on_ground = _LEAST_ON_GROUND + (beyond - 60 * hours) % _MINUTES_A_DAY
    minutes = flights["dep_delay"] + flights["air_time"] + on_ground
    return scheduled_at(flights) + pd.to_timedelta(minutes, unit="min").dt.as_unit("s")


def with_previous_leg(
    flights: pd.DataFrame, every_flight: pd.DataFrame, hours_before: int = HOURS_BEFORE
) -> pd.DataFrame:
    """Add the arrival delay of the leg of the same aircraft that landed last before a prediction.

    Parameters
    ----------
    flights : DataFrame of shape (n_flights, n_columns)
        The flights in question.
    every_flight : DataFrame of shape (n_all, n_columns)
        All that are known: a sample would hide most of the legs.
    hours_before : int
        A prediction is made so many hours before the scheduled departure.

    Returns
    -------
    DataFrame of shape (n_flights, n_columns + 1)
        The same rows with `previous_arr_delay`, in minutes. It is missing where no leg had landed
        within twelve hours, and everywhere if the source does not say when flights landed.
    """
    wanted = ["tailnum", "arr_delay", *OPTIONAL_COLUMNS["flights"]]
    if any(column not in every_flight.columns for column in wanted):
        return flights.assign(**{PREVIOUS_DELAY: float("nan")})
    hours, margin = flights["time_hour"], pd.Timedelta(days=2)
    near = every_flight["time_hour"].between(hours.min() - margin, hours.max())
    flown = every_flight[near].dropna(subset=wanted)
    legs = pd.DataFrame(
        {"tailnum": flown["tailnum"], PREVIOUS_DELAY: flown["arr_delay"], "at": landed_at(flown)}
    ).sort_values("at", kind="stable")
    asked_at = (scheduled_at(flights) - pd.Timedelta(hours=hours_before)).dt.as_unit("s")
    asked = pd.DataFrame(
        {
            "row": range(len(flights)),
            "tailnum": flights["tailnum"].array,
            "at": asked_at.array,
        }
    ).sort_values("at", kind="stable")
    oldest = pd.Timedelta(hours=_OLDEST_HOURS)
    found = pd.merge_asof(asked, legs, on="at", by="tailnum", tolerance=oldest)
    delays = found.sort_values("row")[PREVIOUS_DELAY].to_numpy(dtype="float64")
    return flights.assign(**{PREVIOUS_DELAY: delays})
