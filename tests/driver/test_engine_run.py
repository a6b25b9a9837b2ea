"""A run whose stages somebody else runs, one by one: opened, joined, settled."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from mlkit import find_run, load_pipeline
from mlkit.core.events import Event, EventKind, Observer
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus, Status
from mlkit.driver.engine_run import EngineRun
from mlkit.driver.event_log import read_events
from mlkit.driver.options import RunOptions
from mlkit.driver.order import Order
from mlkit.load.parameters import configure
from mlkit.store.database import Database
from mlkit.testing import (
    FakeRunner,
    Raises,
    RecordingObserver,
    branching,
    chain,
    run_fake,
)
from mlkit.testing.running import fake_services


def _opened(file: Path, *observers: Observer) -> tuple[EngineRun, RunRecord]:
    pipeline = load_pipeline(file)
    runs = file.parent / "runs"
    order = Order(
        pipeline=pipeline,
        configuration=configure(pipeline),
        options=RunOptions(),
        runs_dir=runs,
        services=fake_services(observers=observers),
    )
    run = EngineRun(order, "airflow")
    return run, run.record


def _join(file: Path, opened: RunRecord, stage: str, runner: FakeRunner | None = None) -> None:
    run_fake(file, only=stage, run_id=opened.run_id, runner=runner)


def test_a_run_is_there_before_the_engine_starts(tmp_path: Path) -> None:
    """It is running, and says on what."""
    _, opened = _opened(chain(tmp_path, 1))
    found = find_run(opened.run_id, tmp_path / "runs")
    assert (found.status, found.engine) == (RunStatus.RUNNING, {"name": "airflow", "run_id": ""})


def test_a_run_that_ended_well_is_the_latest(tmp_path: Path) -> None:
    """What the engine's exit code says matters only where a stage is missing."""
    file = branching(tmp_path)
    run, opened = _opened(file)
    for stage in ("decide", "yes", "finish"):
        _join(file, opened, stage)
    record = run.settle("it ended with exit code 1", cancelled=False)
    assert (record.status, record.warnings) == (RunStatus.SUCCEEDED, ())
    assert record.stages["no"].status is Status.SKIPPED
    assert (tmp_path / "runs" / "latest").resolve().name == opened.run_id


def test_a_stage_that_no_task_ran_fails_the_run(tmp_path: Path) -> None:
    """The engine's own trouble stands in the record."""
    file = chain(tmp_path, 2)
    run, opened = _opened(file)
    _join(file, opened, "s1")
    record = run.settle("Airflow fell over", cancelled=False)
    assert (record.status, record.warnings) == (RunStatus.FAILED, ("Airflow fell over",))
    assert record.stages["s2"].status is Status.CANCELLED
    assert not (tmp_path / "runs" / "latest").exists()
    document = json.loads((tmp_path / "runs" / opened.run_id / "run.json").read_text())
    assert document["stages"]["s2"]["reason"] == "the engine stopped before its end"


def test_a_run_that_was_stopped_is_cancelled(tmp_path: Path) -> None:
    """Without the engine's complaint about it."""
    run, _ = _opened(chain(tmp_path, 1))
    record = run.settle("ended with exit code -2", cancelled=True)
    assert (record.status, record.warnings) == (RunStatus.CANCELLED, ())


def test_a_stage_that_was_interrupted_cancels_the_run(tmp_path: Path) -> None:
    """Although every stage has ended."""
    file = chain(tmp_path, 1)
    run, opened = _opened(file)
    _join(file, opened, "s1")
    with closing(Database(tmp_path / "runs" / "mlkit.db")) as database:
        known = database.load_run(opened.run_id)
        assert known is not None
        item = replace(known.stages["s1"], status=Status.CANCELLED)
        database.save_stage(opened.run_id, item, 0)
    record = run.settle("ended with exit code -2", cancelled=True)
    assert (record.status, record.stages["s1"].status) == (RunStatus.CANCELLED, Status.CANCELLED)


def test_a_failure_is_a_failure(tmp_path: Path) -> None:
    """What is behind it could not run."""
    file = chain(tmp_path, 2)
    run, opened = _opened(file)
    _join(file, opened, "s1", FakeRunner({"s1": [Raises()]}))
    record = run.settle(None, cancelled=False)
    assert record.status is RunStatus.FAILED
    assert record.stages["s2"].status is Status.UPSTREAM_FAILED


def test_events_are_read_line_by_line(tmp_path: Path) -> None:
    """A line that is not whole yet is left for the next time."""
    file = chain(tmp_path, 1)
    record = run_fake(file)
    log = tmp_path / "runs" / record.run_id / "events.jsonl"
    text = log.read_bytes()
    part = tmp_path / "events.jsonl"
    part.write_bytes(text[:-5])
    first, place = read_events(part, 0)
    part.write_bytes(text)
    rest, end = read_events(part, place)
    kinds = [event.kind for event in [*first, *rest]]
    assert (kinds[0], kinds[-1], len(rest)) == (EventKind.RUN_STARTED, EventKind.RUN_FINISHED, 1)
    assert end == len(text)
    assert read_events(tmp_path / "none", 0) == ([], 0)


def test_first_and_last_words_are_those_of_any_run(tmp_path: Path) -> None:
    """Observers hear them of the whole run; in the log the last task has said the end already."""
    file, here, there = chain(tmp_path, 1), RecordingObserver(), RecordingObserver()
    run_fake(chain(tmp_path / "alone", 1), observers=[here])
    run, opened = _opened(file, there)
    run.tell_start()
    _join(file, opened, "s1")
    run.settle(None, cancelled=False)
    for kind in (EventKind.RUN_STARTED, EventKind.RUN_FINISHED):
        (mine,) = [event for event in here.events if event.kind is kind]
        (other,) = [event for event in there.events if event.kind is kind]
        assert mine.data.keys() == other.data.keys()
        assert mine.data.get("stages") == other.data.get("stages")
        assert mine.data.get("counts") == other.data.get("counts")
    logged, _ = read_events(tmp_path / "runs" / opened.run_id / "events.jsonl", 0)
    assert [event.kind for event in logged].count(EventKind.RUN_FINISHED) == 1


def test_an_observer_that_fails_does_not_end_an_engines_run(tmp_path: Path) -> None:
    """It is told no more, neither of the run itself nor of what tasks have logged."""
    told: list[Event] = []

    def failing(event: Event) -> None:
        told.append(event)
        raise OSError("nobody listens")

    file, there = chain(tmp_path, 1), RecordingObserver()
    run, opened = _opened(file, failing, there)
    run.tell_start()
    _join(file, opened, "s1")
    logged, _ = read_events(tmp_path / "runs" / opened.run_id / "events.jsonl", 0)
    for event in logged:
        run.journal.pass_on(event)
    run.settle(None, cancelled=False)
    assert [event.kind for event in told] == [EventKind.RUN_STARTED]
    assert len(there.events) == len(logged) + 2
