"""The intervals of a schedule, as laws."""

from __future__ import annotations

import datetime as dt
import re
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.core.cron import Cron, parse_cron
from mlkit.core.intervals import (
    Interval,
    Schedule,
    in_zone,
    intervals,
    last_interval,
    next_tick,
    previous_tick,
    ticks,
)

UTC = dt.UTC
MINUTE = dt.timedelta(minutes=1)
ZONES = (
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",  # its clock jumps by half an hour
    "America/St_Johns",  # its clock jumped at one minute past midnight until 2011
    "Pacific/Apia",  # left out the whole of 30 December 2011
    "Asia/Kathmandu",
)


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pairs = st.tuples(number, number).map(sorted).map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.integers(1, 20).map(lambda step: f"*/{step}")
    lists = st.lists(number.map(str), min_size=1, max_size=3, unique=True).map(",".join)
    return st.one_of(st.just("*"), lists, pairs, steps)


_EXPRESSIONS = st.tuples(
    _field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12), _field(0, 7)
).map(" ".join)
_SCHEDULES = st.builds(
    lambda text, zone: Schedule(when=parse_cron(text), zone=ZoneInfo(zone)),
    _EXPRESSIONS,
    st.sampled_from(ZONES),
)
_MOMENTS = st.datetimes(
    dt.datetime(2009, 1, 1), dt.datetime(2014, 12, 31), timezones=st.just(UTC)
) | st.sampled_from(
    [  # shortly before a clock jumps
        dt.datetime(2013, 3, 10, 5, 50, tzinfo=UTC),
        dt.datetime(2013, 11, 3, 4, 50, tzinfo=UTC),
        dt.datetime(2013, 3, 31, 0, 50, tzinfo=UTC),
        dt.datetime(2013, 10, 27, 0, 50, tzinfo=UTC),
        dt.datetime(2013, 10, 5, 15, 10, tzinfo=UTC),
        dt.datetime(2010, 11, 7, 2, 20, tzinfo=UTC),
        dt.datetime(2011, 12, 30, 9, 50, tzinfo=UTC),
    ]
)


def _schedule(text: str, zone: str = "UTC") -> Schedule:
    return Schedule(when=parse_cron(text), zone=ZoneInfo(zone))


def _walls(schedule: Schedule, start: dt.datetime, count: int) -> list[str]:
    found = islice(ticks(schedule, start, start + dt.timedelta(days=900)), count)
    return [moment.isoformat(timespec="minutes") for moment in found]


@given(_SCHEDULES, _MOMENTS)
@settings(max_examples=80, deadline=None)
def test_intervals_tile_time(schedule: Schedule, start: dt.datetime) -> None:
    """Each begins where the one before ended, and none is empty."""
    found = list(islice(intervals(schedule, start, start + dt.timedelta(days=400)), 50))
    for one, other in pairwise(found):
        assert one.end == other.start
    assert all(interval.start < interval.end for interval in found)


@given(_SCHEDULES, _MOMENTS, st.integers(1, 3000))
@settings(max_examples=80, deadline=None)
def test_a_span_may_be_cut_anywhere(schedule: Schedule, start: dt.datetime, minutes: int) -> None:
    """The intervals of two adjoining spans are those of the whole span: no gap, none twice."""
    middle, stop = start + minutes * MINUTE, start + 4000 * MINUTE
    parts = [*intervals(schedule, start, middle), *intervals(schedule, middle, stop)]
    assert parts == list(intervals(schedule, start, stop))


@given(_SCHEDULES, _MOMENTS)
@settings(max_examples=40, deadline=None)
def test_next_and_previous_agree(schedule: Schedule, moment: dt.datetime) -> None:
    """No time lies between a moment and the next one, nor between the one before and it."""
    after = next_tick(schedule, moment)
    before = previous_tick(schedule, moment)
    assert before <= moment < after
    assert next_tick(schedule, before) == after
    assert previous_tick(schedule, after - dt.timedelta(microseconds=1)) == before


@given(_SCHEDULES, _MOMENTS)
@settings(max_examples=50, deadline=None)
def test_times_are_those_of_a_clock_that_is_looked_at_every_minute(
    schedule: Schedule, start: dt.datetime
) -> None:
    """With an hour that begins with `*`: exactly the minutes that match on the zone's clock."""
    start = start.replace(second=0, microsecond=0)
    minutes = [start + number * MINUTE for number in range(2 * 24 * 60)]
    cron = schedule.when
    assert isinstance(cron, Cron)
    expected = []
    for moment in minutes:
        wall = moment.astimezone(schedule.zone)
        if (
            cron.matches(wall.date())
            and wall.hour in cron.hours
            and wall.minute in cron.minutes
            and (cron.every_hour or wall.fold == 0)
        ):
            expected.append(moment)
    found = list(ticks(schedule, start, minutes[-1] + MINUTE))
    if cron.every_hour:
        assert found == expected
    else:
        assert set(expected) <= set(found)
        moved = set(found) - set(expected)
        assert all(_is_after_a_gap(moment, schedule.zone) for moment in moved)


def _is_after_a_gap(moment: dt.datetime, zone: dt.tzinfo) -> bool:
    """Whether the zone's clock was put forward within the day before."""
    day_before = (moment - dt.timedelta(days=1)).astimezone(zone).utcoffset()
    now = moment.astimezone(zone).utcoffset()
    assert day_before is not None
    assert now is not None
    return now > day_before


@given(_EXPRESSIONS, _MOMENTS)
@settings(max_examples=50, deadline=None)
def test_the_scheduling_library_agrees(text: str, start: dt.datetime) -> None:
    """In UTC, with weekdays by name and one kind of day restricted, APScheduler gives the same."""
    from apscheduler.triggers.cron import CronTrigger

    text = " ".join(re.sub(r"\*/(1\d|20)", "*/7", field) for field in text.split())
    minute, hour, day, month, _ = text.split()
    schedule, cron = _schedule(text), parse_cron(text)
    if cron.either_day:
        text = f"{minute} {hour} {day} {month} *"
        schedule, cron = _schedule(text), parse_cron(text)
    names = [("sun", "mon", "tue", "wed", "thu", "fri", "sat")[n] for n in cron.weekdays]
    trigger = CronTrigger(
        minute=minute,
        hour=hour,
        day=day,
        month=month,
        day_of_week=",".join(sorted(names)),
        timezone=UTC,
    )
    moment = start
    for _ in range(5):
        ours, theirs = (
            next_tick(schedule, moment),
            trigger.get_next_fire_time(None, moment + MINUTE),
        )
        if ours <= moment + MINUTE:
            theirs = trigger.get_next_fire_time(None, moment + dt.timedelta(microseconds=1))
        assert ours == theirs
        moment = ours


def test_months_of_2013() -> None:
    """A monthly schedule has twelve intervals in 2013; the last ends in 2014."""
    start, stop = dt.datetime(2013, 1, 1, tzinfo=UTC), dt.datetime(2014, 1, 1, tzinfo=UTC)
    found = list(intervals(_schedule("0 0 1 * *"), start, stop))
    assert [interval.start.month for interval in found] == list(range(1, 13))
    assert str(found[-1]) == "2013-12-01 → 2014-01-01"


def test_sunday_is_0_and_7() -> None:
    """As in cron; 3 and 10 March 2013 were Sundays."""
    start = dt.datetime(2013, 3, 1, tzinfo=UTC)
    expected = ["2013-03-03T02:00+00:00", "2013-03-10T02:00+00:00"]
    for text in ("0 2 * * 0", "0 2 * * 7", "0 2 * * sun"):
        assert _walls(_schedule(text), start, 2) == expected


def test_one_kind_of_day_is_enough() -> None:
    """Where both are named: the 13th, and every Friday."""
    start = dt.datetime(2013, 9, 1, tzinfo=UTC)
    found = [wall[:10] for wall in _walls(_schedule("0 0 13 * fri"), start, 5)]
    assert found == ["2013-09-06", "2013-09-13", "2013-09-20", "2013-09-27", "2013-10-04"]
    starred = [wall[:10] for wall in _walls(_schedule("0 0 */2 * fri"), start, 3)]
    assert starred == ["2013-09-13", "2013-09-27", "2013-10-11"]


def test_a_named_hour_that_the_clock_leaves_out_comes_later() -> None:
    """In New York 02:30 was left out on 10 March 2013."""
    start = dt.datetime(2013, 3, 9, 5, tzinfo=UTC)
    assert _walls(_schedule("30 2 * * *", "America/New_York"), start, 3) == [
        "2013-03-09T02:30-05:00",
        "2013-03-10T03:30-04:00",
        "2013-03-11T02:30-04:00",
    ]


def test_a_named_hour_that_comes_twice_is_taken_once() -> None:
    """In New York 01:30 came twice on 3 November 2013: the interval after it has 25 hours."""
    start = dt.datetime(2013, 11, 2, 5, tzinfo=UTC)
    schedule = _schedule("30 1 * * *", "America/New_York")
    assert _walls(schedule, start, 3) == [
        "2013-11-02T01:30-04:00",
        "2013-11-03T01:30-04:00",
        "2013-11-04T01:30-05:00",
    ]
    found = list(islice(intervals(schedule, start, start + dt.timedelta(days=3)), 2))
    assert [(i.end - i.start).total_seconds() / 3600 for i in found] == [24, 25]


def test_every_hour_follows_real_time() -> None:
    """Neither is an hour left out in autumn, nor one invented in spring."""
    zone = "America/New_York"
    autumn = _walls(_schedule("0 * * * *", zone), dt.datetime(2013, 11, 3, 5, tzinfo=UTC), 3)
    assert autumn == [
        "2013-11-03T01:00-04:00",
        "2013-11-03T01:00-05:00",
        "2013-11-03T02:00-05:00",
    ]
    spring = _walls(_schedule("0 * * * *", zone), dt.datetime(2013, 3, 10, 6, tzinfo=UTC), 2)
    assert spring == ["2013-03-10T01:00-05:00", "2013-03-10T03:00-04:00"]


def test_the_last_interval_is_the_one_that_is_over() -> None:
    """At the very time of the schedule, the interval that ends then."""
    schedule = _schedule("0 2 * * *")
    now = dt.datetime(2013, 1, 5, 2, tzinfo=UTC)
    assert str(last_interval(schedule, now)) == "2013-01-04 02:00 → 2013-01-05 02:00"
    earlier = now - dt.timedelta(microseconds=1)
    assert last_interval(schedule, earlier).end == dt.datetime(2013, 1, 4, 2, tzinfo=UTC)


def test_a_rare_day_is_found() -> None:
    """29 February, also across 2100, which is no leap year."""
    schedule = _schedule("0 0 29 2 *")
    assert next_tick(schedule, dt.datetime(2096, 3, 1, tzinfo=UTC)).year == 2104
    assert previous_tick(schedule, dt.datetime(2103, 3, 1, tzinfo=UTC)).year == 2096


@pytest.mark.parametrize("zone", ZONES)
def test_an_interval_survives_json(zone: str) -> None:
    """Also where it is the same moment on another clock."""
    moment = dt.datetime(2013, 7, 1, 12, tzinfo=UTC)
    interval = Interval(
        start=in_zone(moment, ZoneInfo(zone)), end=in_zone(moment + MINUTE, ZoneInfo(zone))
    )
    again = Interval.from_json(interval.to_json())
    assert again == interval == Interval(start=moment, end=moment + MINUTE)
    assert len({again, interval}) == 1
