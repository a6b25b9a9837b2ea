"""Runs as they are read: their state, their place among others, their values."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mlkit
from mlkit.api.records import find_run, find_value, list_runs
from mlkit.api.two_runs import compare
from mlkit.core.events import EventKind
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus, Status
from mlkit.driver.event_log import read_events
from mlkit.errors import UnknownRunError
from mlkit.notebook.notebook_runner import ExecutionRequest
from mlkit.reports.text_tables import show_text
from mlkit.store.folder import RunsFolder
from mlkit.testing import (
    FakeClock,
    FakeRunner,
    Raises,
    Sketch,
    chain,
    run_fake,
    write_pipeline,
)
from mlkit.testing.running import fake_services

DAY_S = 86_400.0


def _die_in(file: str, options: dict[str, Any]) -> None:
    def die(request: ExecutionRequest) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    run_fake(Path(file), runner=FakeRunner({"s2": [die]}), **options)


def _killed(file: Path, **options: Any) -> RunRecord:
    process = multiprocessing.get_context("fork").Process(target=_die_in, args=(str(file), options))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    return list_runs(file)[-1]


def test_a_run_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    """Not "running", and neither are its stages; what had ended stays as it was."""
    record = _killed(chain(tmp_path, 3))
    assert record.status is RunStatus.KILLED
    assert [s.status for s in record.stages.values()] == [*(Status.SUCCEEDED, Status.CANCELLED)]
    assert find_run(record.run_id, tmp_path / "runs") == record
    assert "running" not in json.dumps(record.to_full_json())
    again = mlkit.resume(record.run_id, tmp_path, services=fake_services())
    assert again.status is RunStatus.SUCCEEDED


def test_a_run_whose_process_is_there_is_running(tmp_path: Path) -> None:
    """Its lock tells, and asking takes it from nobody."""
    record = _killed(chain(tmp_path, 3))
    folder = RunsFolder(tmp_path / "runs").run(record.run_id)
    for shared in (True, False):
        with folder.lock(shared=shared) as mine:
            assert mine
            assert find_run(record.run_id, tmp_path / "runs").status is RunStatus.RUNNING
    (folder.path / ".lock").unlink()
    assert find_run(record.run_id, tmp_path / "runs").status is RunStatus.KILLED


def test_an_orchestrators_run_goes_on_between_its_tasks(tmp_path: Path) -> None:
    """It waits for its engine, until nothing has happened for some days."""
    file = chain(tmp_path, 3)
    run_fake(file, only="s1", run_id="R1")
    assert find_run("R1", tmp_path / "runs").status is RunStatus.WAITING
    with RunsFolder(tmp_path / "runs").run("R1").lock(shared=True):
        assert find_run("R1", tmp_path / "runs").status is RunStatus.RUNNING
    run_fake(file, only="s2", run_id="R1")
    run_fake(file, only="s3", run_id="R1")
    assert find_run("R1", tmp_path / "runs").status is RunStatus.SUCCEEDED
    long_ago = FakeClock(time.time() - 8 * DAY_S)
    run_fake(file, only="s1", run_id="R2", clock=long_ago)
    assert find_run("R2", tmp_path / "runs").status is RunStatus.KILLED


def test_an_attempt_whose_process_was_killed_is_lost(tmp_path: Path) -> None:
    """Record, log and `show` know of it, before anybody calls the stage again and after."""
    file = chain(tmp_path, 2)
    run_fake(file, only="s1", run_id="R1")
    for number in (1, 2):
        record = _killed(file, only="s2", run_id="R1")
        assert record.status is RunStatus.WAITING
        stage = record.stages["s2"]
        assert (stage.status, stage.reason) == (Status.CANCELLED, "its process was killed")
        assert [(a.number, a.status) for a in stage.history] == [
            (n, Status.LOST) for n in range(1, number + 1)
        ]
        assert stage.history[-1].error is not None
        assert stage.history[-1].error.type == "LostProcess"
        told = show_text(record, folder=tmp_path, width=80)
        assert f"{number} ({number} lost)" in told
        assert "waits for its engine since" in told
    run_fake(file, only="s2", run_id="R1")
    record = find_run("R1", tmp_path / "runs")
    assert record.status is RunStatus.SUCCEEDED
    states = [attempt.status for attempt in record.stages["s2"].history]
    assert states == [Status.LOST, Status.LOST, Status.SUCCEEDED]
    events, _ = read_events(tmp_path / "runs" / "R1" / "events.jsonl", 0)
    ends = [
        (event.attempt, event.data["status"])
        for event in events
        if event.kind is EventKind.ATTEMPT_FINISHED and event.stage == "s2"
    ]
    assert ends == [(1, "lost"), (2, "lost"), (3, "succeeded")]


def test_a_resumed_run_knows_of_the_attempt_that_was_lost(tmp_path: Path) -> None:
    """As an engine's does; and a run that has failed has no stage that reads running."""
    file = chain(tmp_path, 3)
    lost = _killed(file)
    assert [a.status for a in lost.stages["s2"].history] == [Status.LOST]
    again = mlkit.resume(lost.run_id, tmp_path, services=fake_services())
    assert [a.status for a in again.stages["s2"].history] == [Status.LOST, Status.SUCCEEDED]
    assert [a.number for a in again.stages["s2"].history] == [1, 2]
    two = write_pipeline(tmp_path / "two", Sketch(name="s1"), Sketch(name="s2"))
    run_fake(two, only="s1", run_id="R1", runner=FakeRunner({"s1": [Raises()]}))
    record = _killed(two, only="s2", run_id="R1")
    assert record.status is RunStatus.FAILED
    assert record.stages["s2"].status is Status.CANCELLED


def test_list_runs_takes_a_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder, its file, itself; also the runs folder, and one that lies elsewhere."""
    file = chain(tmp_path, 1)
    record = run_fake(file)
    monkeypatch.chdir(tmp_path)
    places: list[Any] = [".", tmp_path, file, str(file), mlkit.load_pipeline(file), "runs"]
    for place in places:
        assert [r.run_id for r in list_runs(place)] == [record.run_id]
    assert [r.run_id for r in list_runs()] == [record.run_id]
    other = run_fake(file, runs_dir=tmp_path / "elsewhere")
    assert [r.run_id for r in list_runs(file, runs_dir=tmp_path / "elsewhere")] == [other.run_id]
    assert list_runs(tmp_path / "nowhere") == []


def test_a_run_is_found_by_its_pipeline(tmp_path: Path) -> None:
    """`find_run` and `compare` take it in place of a runs folder, as `list_runs` does."""
    file = chain(tmp_path, 1)
    other, record = run_fake(file), run_fake(file)
    for place in (tmp_path / "runs", file, str(tmp_path), mlkit.load_pipeline(file)):
        assert find_run("latest", place).run_id == record.run_id
        assert compare("latest", record.run_id, place).right == record.run_id
        assert len(compare([record.run_id, other.run_id], runs_dir=place).rows) == 2
    with pytest.raises(UnknownRunError, match="there is no run 'x'"):
        find_run("x", tmp_path)


def test_looking_for_a_value_writes_nothing(tmp_path: Path) -> None:
    """Neither where there is no run yet, nor a database in the place of one that was deleted."""
    lists = Sketch(name="a", body="open(out, 'w').write('[1, 2]')")
    file = write_pipeline(tmp_path, lists)
    runs = tmp_path / "runs"
    with pytest.raises(UnknownRunError):
        find_value("latest", "a.out", runs)
    assert not runs.exists()
    run_id = run_fake(file).run_id
    (runs / "mlkit.db").unlink()
    assert find_value(run_id, "a.out", runs) == find_value("latest", "a.out", runs) == [[1, 2]]
    assert find_value(run_id, "a.none", runs) == []
    assert not (runs / "mlkit.db").exists()


def test_nan_and_dates_come_back_and_are_printed_plainly(tmp_path: Path) -> None:
    """In run.json they are exact, in what commands print they are plain."""
    declares = "x: float = 0.0\ny: dict = {}\nday: str = ''"
    sketch = Sketch(name="a", declares=declares)
    given_values = {"x": float("nan"), "y": {"a": [float("inf"), float("-inf")]}}
    file = write_pipeline(tmp_path, sketch, parameters={"x": 1.0, "y": {}, "day": "2013-01-01"})
    failed = run_fake(file, parameters=given_values, runner=FakeRunner({"a": [Raises()]}))
    plain = {"x": "nan", "y": {"a": ["inf", "-inf"]}, "day": "2013-01-01"}
    kept = find_run(failed.run_id, tmp_path / "runs")
    assert kept.to_json()["parameters"] == plain
    full = kept.to_full_json(exact=False)
    assert (full["parameters"], full["stages"]["a"]["parameters"]) == (plain, plain)
    again = mlkit.resume(failed.run_id, file, services=fake_services())
    assert again.to_json()["parameters"] == plain
    assert replace(again, parameters={}).ok
