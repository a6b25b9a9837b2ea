"""What a task's call is given by an engine's schedule."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from mlkit import load_pipeline
from mlkit.api.engine_calls import INTERVAL, SCHEDULED, scheduled_values
from mlkit.core.pipeline import Pipeline
from mlkit.load.parameters import Layers, configure
from mlkit.testing import Sketch, write_pipeline


def _dated(folder: Path, schedule: str | None = "0 2 * * *", declares: str = "") -> Pipeline:
    sketch = Sketch(name="dated", declares=declares or 'logical_date: str = ""')
    top = {} if schedule is None else {"schedule": schedule}
    return load_pipeline(write_pipeline(folder, sketch, **top))


def test_a_scheduled_run_receives_the_start_of_its_interval(tmp_path: Path) -> None:
    """The schedule fires when an interval is over; its start is the logical date."""
    values = scheduled_values(_dated(tmp_path), Layers(environ={SCHEDULED: "2013-03-02T02:00:00Z"}))
    assert values == {"logical_date": "2013-03-01T02:00:00+00:00"}


def test_a_late_start_counts_for_the_same_interval(tmp_path: Path) -> None:
    """A cluster may need a while."""
    values = scheduled_values(
        _dated(tmp_path), Layers(environ={SCHEDULED: "2013-03-02T02:07:31+00:00"})
    )
    assert values == {"logical_date": "2013-03-01T02:00:00+00:00"}


@pytest.mark.parametrize(
    ("schedule", "start", "expected"),
    [
        ("0 0 * * *", "2013-06-30T22:00:00+00:00", "2013-07-01T00:00:00+02:00"),
        ("0 0 1 * *", "2013-01-31T23:00:00Z", "2013-02-01T00:00:00+01:00"),
        ("every 6h", "2013-07-01T00:00:00+02:00", "2013-07-01T00:00:00+02:00"),
    ],
)
def test_a_date_is_that_of_the_schedules_own_clock(
    tmp_path: Path, schedule: str, start: str, expected: str
) -> None:
    """As in serve and backfill; Airflow counts intervals in UTC, and so does cron made of spans."""
    declares = "import datetime\nlogical_date: datetime.date | None = None"
    sketch = Sketch(name="dated", declares=declares)
    file = write_pipeline(tmp_path, sketch, schedule=schedule, timezone="Europe/Berlin")
    values = scheduled_values(load_pipeline(file), Layers(environ={INTERVAL: start}))
    assert values == {"logical_date": expected}
    bound = configure(load_pipeline(file), Layers(values=values)).stages["dated"]
    assert bound["logical_date"].value == dt.date.fromisoformat(expected[:10])


def test_what_is_given_by_hand_wins(tmp_path: Path) -> None:
    """Over the interval for which the engine has the run."""
    for name in (INTERVAL, SCHEDULED):
        environ = {name: "2013-03-01T02:00:00Z"}
        layers = Layers(environ=environ, assignments=["logical_date=2012-01-01"])
        assert scheduled_values(_dated(tmp_path / name), layers) == {}


def test_nobody_is_told_who_did_not_ask(tmp_path: Path) -> None:
    """No time, no schedule, no such parameter: nothing is given."""
    moment = {SCHEDULED: "2013-03-02T02:00:00Z"}
    assert scheduled_values(_dated(tmp_path / "a"), Layers(environ={})) == {}
    assert scheduled_values(_dated(tmp_path / "b", None), Layers(environ=moment)) == {}
    assert (
        scheduled_values(_dated(tmp_path / "c", declares="n: int = 1"), Layers(environ=moment))
        == {}
    )
