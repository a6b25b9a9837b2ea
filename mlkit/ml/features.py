"""Features that are known before a flight departs, and the refusal of all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlkit.ml.preprocessing import PREVIOUS_DELAY, minutes_of_day
from mlkit.ml.stage_errors import DataError, LeakageError

__all__ = [
    "DAY",
    "KNOWN_LATER",
    "TARGET",
    "build_features",
    "feature_columns",
    "refuse_leakage",
    "text_columns",
]

TARGET = "late"
DAY = "day"

KNOWN_LATER: dict[str, str] = {
    "dep_time": "when it left",
    "dep_delay": "when it left",
    "air_time": "when it had landed",
    "arr_time": "when it had landed",
    "arr_delay": "when it had landed",
    TARGET: "when it had landed (it is the answer)",
}
"""Columns that nobody knows before departure, and when they become known."""

_WEATHER = {
    "temp": "temperature_f",
    "dewp": "dew_point_f",
    "humid": "humidity_pct",
    "wind_speed": "wind_mph",
    "precip": "rain_in",
    "pressure": "pressure_mbar",
    "visib": "visibility_miles",
}


def refuse_leakage(columns: Sequence[str]) -> None:
    """Refuse columns that are known only once the flight has left or landed.

    Parameters
    ----------
    columns : sequence of str
        Names of columns.

    Raises
    ------
    LeakageError
        At least one is; all are named.
    """
    leaking = [column for column in columns if column in KNOWN_LATER]
    if leaking:
        facts = ", ".join(f"{column!r} is known only {KNOWN_LATER[column]}" for column in leaking)
        raise LeakageError(f"{facts}: no feature may know the future; take it out of extra_columns")


def _calendar(cleaned: pd.DataFrame) -> dict[str, pd.Series]:
    """When the flight is scheduled: minutes after local midnight, day of the week from 0."""
    return {
        "departure_minute": minutes_of_day(cleaned["sched_dep_time"]),
        "arrival_minute": minutes_of_day(cleaned["sched_arr_time"]),
        "weekday": cleaned[DAY].dt.day_of_week,
    }


def _route(cleaned: pd.DataFrame) -> dict[str, pd.Series]:
    """Who flies where, how far, in what plane, and how late that plane landed last."""
    return {
        "carrier": cleaned["carrier"],
        "origin": cleaned["origin"],
        "dest": cleaned["dest"],
        "distance_miles": cleaned["distance"],
        "plane_age_years": cleaned["year"] - cleaned["built"],
        "plane_seats": cleaned["seats"],
        # Where no leg is known the delay is 0, and says so: no model then needs a whole column.
        "previous_leg_known": cleaned[PREVIOUS_DELAY].notna().astype("float64"),
        "previous_leg_delay_minutes": cleaned[PREVIOUS_DELAY].fillna(0.0),
    }


def _weather(cleaned: pd.DataFrame) -> dict[str, pd.Series]:
    """The weather that was known; the wind's direction as a point on the compass circle."""
    angle = np.deg2rad(cleaned["wind_dir"])
    readings = {new: cleaned[old] for old, new in _WEATHER.items()}
    return readings | {
        "gust_mph": cleaned["wind_gust"].fillna(cleaned["wind_speed"]),
        "wind_east": np.sin(angle),
        "wind_north": np.cos(angle),
    }


def _as_features(columns: dict[str, pd.Series]) -> dict[str, pd.Series]:
    """Numbers as float64 and text as text, which is what the models and the server expect."""
    return {
        name: c.astype("float64") if pd.api.types.is_numeric_dtype(c) else c.astype("str")
        for name, c in columns.items()
    }


def build_features(cleaned: pd.DataFrame, extra_columns: Sequence[str] = ()) -> pd.DataFrame:
    """Build the table of features.

    Parameters
    ----------
    cleaned : DataFrame of shape (n_flights, n_columns)
        The clean table.
    extra_columns : sequence of str
        Further columns of the clean table to take as they are.

    Returns
    -------
    DataFrame of shape (n_flights, n_features + 2)
        The features (float64 or text), then `day` and `late`.

    Raises
    ------
    LeakageError
        An extra column is not known before departure.
    DataError
        An extra column does not exist.
    """
    refuse_leakage(extra_columns)
    unknown = [column for column in extra_columns if column not in cleaned.columns]
    if unknown:
        raise DataError(f"extra_columns names {unknown[0]!r}, which the clean table does not have")
    extra = {column: cleaned[column] for column in extra_columns if column != DAY}
    columns = _calendar(cleaned) | _route(cleaned) | _weather(cleaned) | extra
    return pd.DataFrame(_as_features(columns)).assign(
        **{DAY: cleaned[DAY], TARGET: cleaned[TARGET]}
    )


def feature_columns(table: pd.DataFrame) -> list[str]:
    """The feature names of a table of shape (n_flights, n_features + 2), in its order.

    Parameters
    ----------
    table : DataFrame
        The table.
    """
    return [column for column in table.columns if column not in (DAY, TARGET)]


def text_columns(table: pd.DataFrame) -> list[str]:
    """The names of those features that hold text.

    Parameters
    ----------
    table : DataFrame
        The table.
    """
    return [c for c in feature_columns(table) if not pd.api.types.is_numeric_dtype(table[c])]
