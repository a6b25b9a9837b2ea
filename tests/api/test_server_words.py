"""Sentences of a schedule server."""

from __future__ import annotations

import datetime as dt

import pytest

from mlkit.api import server_words as words
from mlkit.core.cron import parse_cron
from mlkit.core.intervals import Interval, Schedule
from mlkit.errors import PipelineError

NOW = dt.datetime(2013, 1, 1, 0, 30, tzinfo=dt.UTC)


def test_the_next_three_times_are_told() -> None:
    """Each with how far away it is."""
    told = words.greeting("flights", Schedule(when=parse_cron("0 2 * * *")), NOW)
    assert told.splitlines() == [
        "flights runs on the schedule 0 2 * * * (UTC). Next runs:",
        "  Tue 2013-01-01 02:00 +0000 (in 1 h 30 min)",
        "  Wed 2013-01-02 02:00 +0000 (in 1 d 1 h 30 min)",
        "  Thu 2013-01-03 02:00 +0000 (in 2 d 1 h 30 min)",
    ]


def test_a_moment_that_is_near_is_less_than_a_minute_away() -> None:
    """Rounded to minutes, nothing would be left."""
    assert words.moment(NOW + dt.timedelta(seconds=20), NOW).endswith("(in less than 1 min)")


@pytest.mark.parametrize(("many", "begins"), [(1, "1 earlier interval has"), (1000, "1000+ ear")])
def test_what_was_left_out_is_counted(many: int, begins: str) -> None:
    """One is one, and of a thousand there may be more."""
    day = Interval(start=NOW, end=NOW + dt.timedelta(days=1))
    assert words.left_out([day] * many, "p").startswith(begins)


def test_an_error_is_one_line() -> None:
    """With its place and its remedy."""
    error = PipelineError("it is broken", "pipeline.yaml", 3, "Mend\nit.")
    assert words.sentence(error) == "pipeline.yaml:3: it is broken. Mend it."
