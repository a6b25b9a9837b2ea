"""Schedules and spans, as people write them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

import mlkit
from mlkit.api.scheduling import read_schedule, read_span
from mlkit.core.intervals import intervals
from mlkit.errors import UsageError
from mlkit.testing import chain


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (("0 0 30 2 *", "UTC"), "never comes"),
        (("* *", "UTC"), "has 2 fields"),
        (("@daily", "Europe/Berlim"), "there is no time zone 'Europe/Berlim'"),
        (("@daily", "../etc/passwd"), "there is no time zone"),
        ((None, "UTC"), "the pipeline has no schedule"),
    ],
)
def test_a_schedule_that_is_none_is_a_sentence(
    tmp_path: Path, arguments: tuple[str | None, str], fact: str
) -> None:
    """With what to do about it."""
    with pytest.raises(UsageError, match=fact) as error:
        read_schedule(mlkit.load_pipeline(chain(tmp_path, 1)), *arguments)
    assert error.value.remedy


@pytest.mark.parametrize(
    ("first", "last", "fact"),
    [
        ("2013-02-01", "2013-01-01", "--to 2013-01-01 lies before --from 2013-02-01"),
        ("soon", "2013-01-01", "--from soon: this is no date"),
        ("2013-01-01", "2013-02-30", "--to 2013-02-30: this is no date"),
        ("0001-01-01", "2013-01-01", "--from 0001-01-01: this is no date"),
    ],
)
def test_a_span_that_is_none_is_a_sentence(first: str, last: str, fact: str) -> None:
    """Which option, and what was given."""
    with pytest.raises(UsageError, match=fact):
        read_span(first, last, dt.UTC)


def test_the_last_day_belongs_to_the_span() -> None:
    """A date as the end means its whole day; a moment means itself."""
    start, stop = read_span("2013-01-01", "2013-01-31", dt.UTC)
    assert (start.isoformat(), stop.isoformat()) == (
        "2013-01-01T00:00:00+00:00",
        "2013-02-01T00:00:00+00:00",
    )
    _, stop = read_span("2013-01-01", "2013-01-31T06:00", dt.UTC)
    assert stop == dt.datetime(2013, 1, 31, 6, 0, 0, 1, tzinfo=dt.UTC)


def test_a_backfill_follows_the_files_clock(tmp_path: Path) -> None:
    """Unless another zone, or another schedule, is asked for."""
    file = chain(tmp_path, 1)
    file.write_text(f"schedule: every 12h\ntimezone: Europe/Berlin\n{file.read_text()}")
    pipeline = mlkit.load_pipeline(file)
    assert str(read_schedule(pipeline)) == "every 12h (Europe/Berlin)"
    assert str(read_schedule(pipeline, "@daily", "UTC")) == "@daily (UTC)"
    schedule = read_schedule(pipeline)
    start, stop = read_span("2013-03-30", "2013-03-31", schedule.zone)
    spans = [str(item) for item in intervals(schedule, start, stop)]
    assert spans == [
        "2013-03-30 → 2013-03-30 12:00",
        "2013-03-30 12:00 → 2013-03-31",
        "2013-03-31 → 2013-03-31 13:00",
        "2013-03-31 13:00 → 2013-04-01 01:00",
    ]
