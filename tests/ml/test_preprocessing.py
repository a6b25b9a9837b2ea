"""Preprocessing: cancelled flights go, everything else stays exactly once."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.ml.preprocessing import clean, losses, minutes_of_day
from mlkit.ml.stage_errors import DataError

Tables = dict[str, pd.DataFrame]


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59))
def test_a_clock_reading_becomes_minutes(hour: int, minute: int) -> None:
    """1755 is 17 · 60 + 55."""
    assert minutes_of_day(pd.Series([hour * 100 + minute])).tolist() == [hour * 60 + minute]


def test_flights_that_never_arrived_go_and_no_other(raw: Tables, cleaned: pd.DataFrame) -> None:
    """Joins neither drop nor multiply."""
    arrived = raw["flights"][raw["flights"]["arr_delay"].notna()]
    assert cleaned["flight"].tolist() == arrived["flight"].tolist()
    counts = losses(raw["flights"], cleaned)["flights"]
    assert counts["kept"] + counts["cancelled or diverted, dropped"] == counts["collected"]


def test_late_means_more_than_so_many_minutes(raw: Tables) -> None:
    """Exactly 15 minutes late is not late."""
    flights = raw["flights"].head(3).assign(arr_delay=[14.0, 15.0, 16.0])
    table = clean(flights, raw["weather"], raw["planes"], 15)
    assert table["late"].tolist() == [0, 0, 1]


def test_weather_is_that_of_the_airport_and_hour(raw: Tables, cleaned: pd.DataFrame) -> None:
    """Looked up by hand for one flight."""
    flight = cleaned.iloc[100]
    weather = raw["weather"]
    there = (weather["origin"] == flight["origin"]) & (weather["time_hour"] == flight["time_hour"])
    assert weather.loc[there, "temp"].tolist() == [flight["temp"]]


def test_an_impossible_wind_counts_as_missing(raw: Tables) -> None:
    """The weather itself is left as it was."""
    weather = raw["weather"].assign(wind_speed=1048.0)
    table = clean(raw["flights"], weather, raw["planes"], 15)
    assert table["wind_speed"].isna().all()
    assert (weather["wind_speed"] == 1048.0).all()


def test_an_unknown_plane_is_a_missing_value(raw: Tables) -> None:
    """The flight stays."""
    table = clean(raw["flights"], raw["weather"], raw["planes"].head(0), 15)
    assert table["built"].isna().all()
    assert len(table) > 2000


def test_a_doubled_key_is_refused(raw: Tables) -> None:
    """Rather than multiplying flights in silence."""
    twice = pd.concat([raw["weather"], raw["weather"]])
    with pytest.raises(DataError, match="stands twice"):
        clean(raw["flights"], twice, raw["planes"], 15)


def test_a_sample_without_arrivals_is_refused(raw: Tables) -> None:
    """With what to do."""
    with pytest.raises(DataError, match="no flight of the sample arrived"):
        clean(raw["flights"].assign(arr_delay=None), raw["weather"], raw["planes"], 15)
