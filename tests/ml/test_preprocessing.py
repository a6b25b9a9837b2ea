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


def test_weather_is_what_was_known_an_hour_before(raw: Tables, cleaned: pd.DataFrame) -> None:
    """Looked up by hand: the airport's last observation that was over by then."""
    hour = pd.Timedelta(hours=1)
    weather = raw["weather"].set_index("time_hour")
    for _, flight in cleaned.iloc[[0, 100, 1000]].iterrows():
        there = weather[weather["origin"] == flight["origin"]]
        known = there[there.index + hour <= flight["time_hour"] - hour]
        assert flight["weather_hour"] == known.index.max()
        assert flight["temp"] == known.sort_index()["temp"].iloc[-1]


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 5))
def test_weather_of_the_future_changes_nothing(raw: Tables, hours_before: int) -> None:
    """The real test of leakage: whatever comes after the prediction may be as it likes."""
    flights = raw["flights"].head(5)
    made = flights["time_hour"].min() - pd.Timedelta(hours=hours_before)
    later = raw["weather"]["time_hour"] + pd.Timedelta(hours=1) > made
    other = raw["weather"].assign(temp=raw["weather"]["temp"].where(~later, 999.0))
    first = flights[flights["time_hour"] == flights["time_hour"].min()]
    tables = (first, raw["weather"]), (first, other)
    one, two = (clean(f, w, raw["planes"], 15, hours_before) for f, w in tables)
    pd.testing.assert_frame_equal(one, two)
    assert (one["temp"] != 999.0).all()


def test_times_may_come_in_any_unit(raw: Tables) -> None:
    """A Parquet file gives milliseconds back for seconds."""
    flights, weather = raw["flights"].head(50), raw["weather"]
    other = weather.assign(time_hour=weather["time_hour"].dt.as_unit("ms"))
    one, two = (clean(flights, table, raw["planes"], 15) for table in (weather, other))
    pd.testing.assert_frame_equal(one, two)


def test_a_gap_in_the_weather_is_filled_by_older_weather_for_a_while(raw: Tables) -> None:
    """Six hours; what is older tells of another day."""
    flight = raw["flights"].iloc[[500]]
    hour = pd.Timedelta(hours=1)
    asked = flight["time_hour"].iloc[0] - hour
    for age, known in ((6, True), (7, False)):
        left = raw["weather"][raw["weather"]["time_hour"] <= asked - age * hour]
        assert clean(flight, left, raw["planes"], 15, 0)["temp"].notna().tolist() == [known]


def test_a_prediction_after_the_departure_is_none(raw: Tables) -> None:
    """The value stands in the message."""
    with pytest.raises(DataError, match="hours_before=-1 lies after the departure"):
        clean(raw["flights"], raw["weather"], raw["planes"], 15, -1)


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
