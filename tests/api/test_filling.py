"""Runs for intervals: one each, recorded, and not twice."""

from __future__ import annotations

import datetime as dt
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mlkit
from mlkit.api.filling import Filled, Filling, fill, plan_backfill, scheduled_runs
from mlkit.api.scheduling import read_schedule, read_span
from mlkit.core.backfilling import interval_of
from mlkit.core.events import Event, EventKind
from mlkit.core.pipeline import Pipeline
from mlkit.driver.options import RunOptions
from mlkit.errors import MlkitError, UsageError
from mlkit.load.parameters import Layers
from mlkit.store.folder import RunsFolder
from mlkit.testing import FakeRunner, Sketch, write_pipeline
from mlkit.testing.running import fake_services

NOW = dt.datetime(2014, 6, 1, tzinfo=dt.UTC)
DATED = """from pathlib import Path
if fails and logical_date.month == fails:
    raise ValueError("no flights")
Path(out).write_text(logical_date.isoformat())"""
DECLARES = "import datetime\nlogical_date: datetime.date | None = None\nfails: int = 0"


def dated(folder: Path, **keys: Any) -> Pipeline:
    """A pipeline of one stage that writes its logical date."""
    sketch = Sketch(name="month", body=DATED, declares=DECLARES, keys=keys)
    return mlkit.load_pipeline(write_pipeline(folder, sketch, schedule="0 0 1 * *"))


def _filling(pipeline: Pipeline, *, rerun: bool = False, **values: object) -> Filling:
    return Filling(
        pipeline=pipeline,
        layers=Layers(values=values),
        options=RunOptions(),
        runs_dir=Path(pipeline.folder) / "runs",
        rerun=rerun,
    )


def _fill_2013(filling: Filling, last: str = "2013-04-30") -> list[Filled]:
    schedule = read_schedule(filling.pipeline)
    plans, _ = plan_backfill(filling, schedule, read_span("2013-01-01", last, dt.UTC), NOW)
    return [fill(filling, planned, fake_services()) for planned in plans]


def test_each_interval_receives_its_start(tmp_path: Path) -> None:
    """As the declared parameter; the record holds the interval and the parameter."""
    filled = _fill_2013(_filling(dated(tmp_path)))
    texts = []
    for done in filled:
        assert done.record is not None
        stage = done.record.stages["month"]
        texts.append((Path(done.record.runs_dir) / stage.artifacts["out"].path).read_text())
        assert interval_of(done.record) == done.planned.interval
        assert done.record.parameters["logical_date"] == done.planned.interval.start.isoformat()
    assert texts == ["2013-01-01", "2013-02-01", "2013-03-01", "2013-04-01"]


def test_run_json_names_the_interval(tmp_path: Path) -> None:
    """Readable without mlkit."""
    done = _fill_2013(_filling(dated(tmp_path)), "2013-01-31")[0]
    assert done.record is not None
    file = Path(done.record.runs_dir) / done.record.run_id / "run.json"
    assert json.loads(file.read_text())["options"]["interval"] == {
        "start": "2013-01-01T00:00:00+00:00",
        "end": "2013-02-01T00:00:00+00:00",
    }


def test_what_is_done_stays_done(tmp_path: Path) -> None:
    """A second backfill makes no run; `rerun` does, and the unchanged stage is reused."""
    pipeline = dated(tmp_path)
    _fill_2013(_filling(pipeline))
    assert [done.status for done in _fill_2013(_filling(pipeline))] == ["kept"] * 4
    assert len(scheduled_runs(pipeline, tmp_path / "runs")) == 4
    again = _fill_2013(_filling(pipeline, rerun=True))
    assert [done.status for done in again] == ["succeeded"] * 4
    assert {d.record.stages["month"].status.value for d in again if d.record} == {"cached"}


def test_only_what_failed_is_run_again(tmp_path: Path) -> None:
    """A failed interval keeps the others from nothing, and is made good by the next backfill."""
    pipeline = dated(tmp_path)
    first = _fill_2013(_filling(pipeline, fails=2))
    assert [d.status for d in first] == ["succeeded", "failed", "succeeded", "succeeded"]
    second = _fill_2013(_filling(pipeline))
    assert [d.status for d in second] == ["kept", "succeeded", "kept", "kept"]


def test_a_stage_that_depends_on_its_past_fails_behind_a_failure(tmp_path: Path) -> None:
    """In each interval after it, until the first one is made good; the first one has no past."""
    pipeline = dated(tmp_path, depends_on_past=True)
    first = _fill_2013(_filling(pipeline, fails=2))
    assert [d.status for d in first] == ["succeeded", "failed", "failed", "failed"]
    february, march = (d.record.stages["month"] for d in first[1:3] if d.record)
    assert march.error is not None
    assert (march.error.type, march.attempts) == ("DependsOnPast", 0)
    assert "in the interval before, 2013-02-01 → 2013-03-01, it failed" in march.error.message
    assert february.error is not None
    assert february.error.type == "ValueError"
    second = _fill_2013(_filling(pipeline))
    assert [d.status for d in second] == ["kept", "succeeded", "succeeded", "succeeded"]
    by_hand = {"logical_date": "2013-02-01", "fails": 0}
    assert mlkit.run(pipeline, parameters=by_hand, services=fake_services()).ok


def test_a_stage_waits_for_its_past_where_intervals_overlap(tmp_path: Path) -> None:
    """The later run goes on by itself as soon as the one before is done with the stage."""
    filling = _filling(dated(tmp_path, depends_on_past=True))
    schedule = read_schedule(filling.pipeline)
    span = read_span("2013-01-01", "2013-02-28", dt.UTC)
    plans, _ = plan_backfill(filling, schedule, span, NOW)
    begun, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def january(_: object) -> None:
        begun.set()
        assert go_on.wait(60)
        order.append("january")

    def watch(event: Event) -> None:
        if event.kind is EventKind.STAGE_WAITING:
            order.append(str(event.data["for"])[:22])
            go_on.set()
        if event.kind is EventKind.ATTEMPT_STARTED:
            order.append("february")

    with ThreadPoolExecutor(1) as pool:
        services = fake_services(runner=FakeRunner({"month": [january]}))
        earlier = pool.submit(fill, filling, plans[0], services)
        assert begun.wait(60)
        later = fill(filling, plans[1], fake_services(observers=[watch]))
        assert (earlier.result().status, later.status) == ("succeeded", "succeeded")
    assert order == ["its own success in run", "january", "february"]


def test_an_interval_that_somebody_runs_is_left_to_them(tmp_path: Path) -> None:
    """The claim is the process's own, and is gone with it."""
    filling = _filling(dated(tmp_path))
    span = read_span("2013-01-01", "2013-01-31", dt.UTC)
    (planned,), _ = plan_backfill(filling, read_schedule(filling.pipeline), span, NOW)
    seconds = [planned.interval.start.timestamp(), planned.interval.end.timestamp()]
    name = f"sketched {seconds[0]:.0f} {seconds[1]:.0f}"
    with RunsFolder(filling.runs_dir).claim(name) as mine:
        assert mine
        done = fill(filling, planned, fake_services())
    assert (done.status, done.note) == ("left_out", "another process is running it")
    assert fill(filling, planned, fake_services()).status == "succeeded"


def test_an_interval_that_was_run_meanwhile_is_kept(tmp_path: Path) -> None:
    """The plan may be older than the run."""
    filling = _filling(dated(tmp_path))
    span = read_span("2013-01-01", "2013-01-31", dt.UTC)
    (planned,), _ = plan_backfill(filling, read_schedule(filling.pipeline), span, NOW)
    assert fill(filling, planned, fake_services()).status == "succeeded"
    assert fill(filling, planned, fake_services()).status == "kept"


def test_an_interval_that_is_not_over_is_left_out(tmp_path: Path) -> None:
    """And counted; what begins in the future is not looked at."""
    filling = _filling(dated(tmp_path))
    span = read_span("2014-04-01", "2020-12-31", dt.UTC)
    now = dt.datetime(2014, 5, 20, tzinfo=dt.UTC)
    plans, unfinished = plan_backfill(filling, read_schedule(filling.pipeline), span, now)
    assert [str(plan.interval) for plan in plans] == ["2014-04-01 → 2014-05-01"]
    assert unfinished == 1


def test_a_run_by_hand_is_no_intervals_run(tmp_path: Path) -> None:
    """Whatever date it was given."""
    filling = _filling(dated(tmp_path))
    mlkit.run(
        filling.pipeline,
        parameters={"logical_date": "2013-01-01T00:00:00+00:00"},
        services=fake_services(),
        layers=Layers(),
    )
    assert scheduled_runs(filling.pipeline, filling.runs_dir) == []


def test_a_resumed_run_stays_its_intervals_run(tmp_path: Path) -> None:
    """And makes the interval done."""
    pipeline = dated(tmp_path)
    filling = _filling(pipeline, fails=1)
    failed = _fill_2013(filling, "2013-01-31")[0].record
    assert failed is not None
    sketch = Sketch(name="month", body=DATED.replace("if fails", "if False"), declares=DECLARES)
    write_pipeline(tmp_path, sketch, schedule="0 0 1 * *")
    resumed = mlkit.resume(failed.run_id, tmp_path, services=fake_services())
    assert resumed.ok
    assert interval_of(resumed) == interval_of(failed)
    assert [done.status for done in _fill_2013(filling, "2013-01-31")] == ["kept"]


def test_a_date_given_by_hand_is_refused(tmp_path: Path) -> None:
    """Every interval would do the same."""
    for name in ("logical_date", "month.logical_date"):
        filling = replace(_filling(dated(tmp_path)), layers=Layers(values={name: "2013-01-01"}))
        with pytest.raises(UsageError, match="each interval's run receives its own"):
            filling.check()


def test_a_notebook_that_declares_something_else_is_refused_before_any_run(tmp_path: Path) -> None:
    """`logical_date: int` can take no moment."""
    sketch = Sketch(name="s", declares="logical_date: int = 0")
    pipeline = mlkit.load_pipeline(write_pipeline(tmp_path, sketch, schedule="@daily"))
    with pytest.raises(MlkitError, match="is not an int"):
        _filling(pipeline).check()


def test_too_many_intervals_are_refused(tmp_path: Path) -> None:
    """A span of minutes over a year is a slip."""
    filling = _filling(dated(tmp_path))
    schedule = read_schedule(filling.pipeline, "* * * * *")
    with pytest.raises(UsageError, match="more than 1,000 intervals"):
        plan_backfill(filling, schedule, read_span("2013-01-01", "2013-12-31", dt.UTC), NOW)
