"""A server that was away, and what becomes of its intervals."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.core.cron import parse_cron
from mlkit.core.intervals import Schedule
from mlkit.widgets.labs.schedule_simulation import MOST, Outage, Story, tell

YEAR = dt.datetime(2013, 1, 1, tzinfo=dt.UTC), dt.datetime(2014, 1, 1, tzinfo=dt.UTC)


def _months(outage: Outage, *, catch_up: bool = False, backfill: bool = False) -> Story:
    schedule = Schedule(when=parse_cron("0 0 1 * *"))
    return tell(schedule, YEAR, outage, catch_up=catch_up, backfill=backfill)


def test_a_server_that_never_stops_misses_nothing() -> None:
    """Each run is made when its interval is over."""
    story = _months(Outage())
    assert [entry.fate for entry in story.entries] == ["on time"] * 12
    assert all(entry.run_at == entry.interval.end for entry in story.entries)


def test_what_is_missed_is_left_out() -> None:
    """Without catch-up nobody makes it up."""
    story = _months(Outage(after=3, lasts=2))
    fates = [entry.fate for entry in story.entries]
    assert fates == ["on time"] * 3 + ["no run"] * 2 + ["on time"] * 7


def test_catch_up_makes_it_up_when_the_server_is_back() -> None:
    """All at the first time of the schedule at which it is there again."""
    story = _months(Outage(after=3, lasts=2), catch_up=True)
    late = [entry for entry in story.entries if entry.fate == "caught up"]
    assert [entry.interval.start.month for entry in late] == [4, 5]
    assert {entry.run_at for entry in late} == {story.entries[5].interval.end}


def test_backfill_makes_it_up_at_the_end() -> None:
    """Only what has no run."""
    story = _months(Outage(after=0, lasts=12), backfill=True)
    assert {entry.fate for entry in story.entries} == {"backfilled"}
    assert {entry.run_at for entry in story.entries} == {story.ends}
    caught = _months(Outage(after=3, lasts=2), catch_up=True, backfill=True)
    assert caught.count("backfilled") == 0


def test_many_intervals_are_cut() -> None:
    """And it is said that there are more."""
    story = tell(Schedule(when=parse_cron("* * * * *")), YEAR, Outage())
    assert (len(story.entries), story.more) == (MOST, True)


@given(
    after=st.integers(0, 12),
    lasts=st.integers(0, 12),
    catch_up=st.booleans(),
    backfill=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_no_interval_is_run_before_it_is_over(
    after: int, lasts: int, *, catch_up: bool, backfill: bool
) -> None:
    """Each at most once; with a backfill each exactly once."""
    story = _months(Outage(after=after, lasts=lasts), catch_up=catch_up, backfill=backfill)
    assert len({entry.interval for entry in story.entries}) == 12
    for entry in story.entries:
        assert entry.run_at is None or entry.run_at >= entry.interval.end
    if backfill:
        assert story.count("no run") == 0


@pytest.mark.parametrize("catch_up", [True, False])
def test_a_server_that_comes_back_first_has_nothing_to_catch_up(*, catch_up: bool) -> None:
    """No run says where catching up would begin: that takes a backfill."""
    story = _months(Outage(after=0, lasts=3), catch_up=catch_up)
    assert [entry.fate for entry in story.entries[:4]] == ["no run"] * 3 + ["on time"]
