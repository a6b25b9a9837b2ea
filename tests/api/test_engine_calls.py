"""What a task's call is given by an engine's schedule."""

from __future__ import annotations

from pathlib import Path

from mlkit import load_pipeline
from mlkit.api.engine_calls import SCHEDULED, scheduled_values
from mlkit.core.pipeline import Pipeline
from mlkit.testing import Sketch, write_pipeline


def _dated(folder: Path, schedule: str | None = "0 2 * * *", declares: str = "") -> Pipeline:
    sketch = Sketch(name="dated", declares=declares or 'logical_date: str = ""')
    top = {} if schedule is None else {"schedule": schedule}
    return load_pipeline(write_pipeline(folder, sketch, **top))


def test_a_scheduled_run_receives_the_start_of_its_interval(tmp_path: Path) -> None:
    """The schedule fires when an interval is over; its start is the logical date."""
    values = scheduled_values(_dated(tmp_path), {SCHEDULED: "2013-03-02T02:00:00Z"})
    assert values == {"logical_date": "2013-03-01T02:00:00+00:00"}


def test_a_late_start_counts_for_the_same_interval(tmp_path: Path) -> None:
    """A cluster may need a while."""
    values = scheduled_values(_dated(tmp_path), {SCHEDULED: "2013-03-02T02:07:31+00:00"})
    assert values == {"logical_date": "2013-03-01T02:00:00+00:00"}


def test_nobody_is_told_who_did_not_ask(tmp_path: Path) -> None:
    """No time, no schedule, no such parameter: nothing is given."""
    moment = {SCHEDULED: "2013-03-02T02:00:00Z"}
    assert scheduled_values(_dated(tmp_path / "a"), {}) == {}
    assert scheduled_values(_dated(tmp_path / "b", None), moment) == {}
    assert scheduled_values(_dated(tmp_path / "c", declares="n: int = 1"), moment) == {}
