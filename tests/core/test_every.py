"""Schedules of real time: `every 6h`."""

from __future__ import annotations

import datetime as dt
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.core.cron import Cron
from mlkit.core.every import Every, parse_when
from mlkit.core.intervals import (
    Schedule,
    intervals,
    last_interval,
    next_tick,
    previous_tick,
    ticks,
)

UTC = dt.UTC
BERLIN = ZoneInfo("Europe/Berlin")


def _every(text: str, zone: dt.tzinfo = UTC) -> Schedule:
    return Schedule(when=parse_when(text), zone=zone)


def _walls(schedule: Schedule, start: dt.datetime, count: int) -> list[str]:
    found = islice(ticks(schedule, start, start + dt.timedelta(days=30)), count)
    return [f"{moment:%d %H:%M %z}" for moment in found]


def test_a_span_is_told_from_an_expression() -> None:
    """`every` and a duration; everything else is cron's."""
    assert parse_when(" every 90m ") == Every(text="every 90m", period=dt.timedelta(minutes=90))
    assert isinstance(parse_when("@daily"), Cron)


@pytest.mark.parametrize("text", ["every", "every soon", "every 30s", "every 400d", "every 60.5s"])
def test_what_is_no_span_is_refused(text: str) -> None:
    """Less than a minute, more than a year, parts of a second, or no duration at all."""
    with pytest.raises(ValueError, match="every"):
        parse_when(text)


def test_every_six_hours_in_utc() -> None:
    """Counted from a midnight."""
    found = _walls(_every("every 6h"), dt.datetime(2013, 5, 1, 0, 1, tzinfo=UTC), 4)
    days = ("01 06:00", "01 12:00", "01 18:00", "02 00:00")
    assert found == [f"{day} +0000" for day in days]


def test_the_clock_put_forward_moves_its_times_on_the_wall_not_the_spans() -> None:
    """31 March 2013 in Berlin: 2:00 became 3:00."""
    start = dt.datetime(2013, 3, 30, 17, 0, tzinfo=UTC)
    assert _walls(_every("every 6h", BERLIN), start, 4) == [
        *("30 18:00 +0100", "31 00:00 +0100"),
        *("31 07:00 +0200", "31 13:00 +0200"),
    ]


def test_the_clock_put_back_does_so_too() -> None:
    """27 October 2013 in Berlin: 3:00 became 2:00."""
    start = dt.datetime(2013, 10, 26, 23, 0, tzinfo=BERLIN)
    assert _walls(_every("every 6h", BERLIN), start, 3) == [
        *("27 01:00 +0200", "27 06:00 +0100"),
        "27 12:00 +0100",
    ]


@given(
    st.integers(60, 90_000),
    st.datetimes(dt.datetime(1999, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sampled_from([UTC, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]),
)
@settings(max_examples=60, deadline=None)
def test_intervals_are_equally_long_and_tile_time(
    seconds: int, start: dt.datetime, zone: dt.tzinfo
) -> None:
    """Whatever the clock of the zone does; next and previous agree."""
    schedule = _every(f"every {seconds}s", zone)
    found = list(islice(intervals(schedule, start, start + dt.timedelta(seconds=9 * seconds)), 8))
    assert {item.end - item.start for item in found} == {dt.timedelta(seconds=seconds)}
    assert all(one.end == other.start for one, other in pairwise(found))
    after = next_tick(schedule, start)
    assert previous_tick(schedule, after) == after
    assert last_interval(schedule, after).end == after
    assert start < after <= start + dt.timedelta(seconds=seconds)


def test_the_same_times_come_wherever_one_begins_to_look() -> None:
    """A server that was started at another moment runs at the same ones."""
    schedule, one = _every("every 7h", BERLIN), dt.datetime(2013, 3, 25, tzinfo=UTC)
    other = one + dt.timedelta(hours=40, minutes=13)
    stop = one + dt.timedelta(days=12)
    assert [m for m in ticks(schedule, one, stop) if m >= other] == list(
        ticks(schedule, other, stop)
    )
