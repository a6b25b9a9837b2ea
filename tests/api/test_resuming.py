"""`mlkit resume`: nothing finished is repeated, and the history goes on."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit import find_run, resume, runs_table
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.errors import UnknownRunError, UsageError
from mlkit.notebook.notebook_runner import ExecutionRequest, ExecutionResult
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.testing import (
    FakeClock,
    FakeRunner,
    Raises,
    RecordingNotifier,
    RecordingObserver,
    Returns,
    Sketch,
    chain,
    diamond,
    dynamic_map,
    run_fake,
    write_pipeline,
)
from mlkit.testing.runner import Behaviour
from mlkit.testing.running import fake_services


def _resume(record: RunRecord, file: Path, **rest: Any) -> RunRecord:
    return resume(record.run_id, file, services=fake_services(**rest))


def _taking(clock: FakeClock, seconds: float, does: Behaviour) -> Behaviour:
    """A behaviour that takes its time."""

    def act(request: ExecutionRequest) -> ExecutionResult | None:
        clock.advance(seconds)
        return does(request)

    return act


def test_nothing_finished_is_repeated(tmp_path: Path) -> None:
    """Stages that succeeded keep status, attempts and times; the others run."""
    file = diamond(tmp_path)
    failed = run_fake(file, runner=FakeRunner({"left": [Raises()]}))
    runner = FakeRunner()
    again = _resume(failed, file, runner=runner)
    assert again.run_id == failed.run_id
    assert runner.stages == ["left", "bottom"]
    assert again.status == "succeeded"
    for name in ("top", "right"):
        assert again.stages[name] == failed.stages[name]
    assert (tmp_path / "runs" / "latest").resolve().name == again.run_id


def test_history_goes_on(tmp_path: Path) -> None:
    """Attempts are numbered on; every attempt's notebook and log are still there."""
    file = chain(tmp_path, 1)
    failed = run_fake(file, runner=FakeRunner({"s1": [Raises()]}))
    again = _resume(failed, file)
    assert [a.status.value for a in again.stages["s1"].history] == ["failed", "succeeded"]
    attempts = tmp_path / "runs" / again.run_id / "s1" / "attempts"
    for number in ("1", "2"):
        assert (attempts / number / "notebook.ipynb").is_file()
        assert (attempts / number / "log.txt").is_file()
    assert find_run(again.run_id, tmp_path / "runs").stages["s1"] == again.stages["s1"]


def test_a_resumed_run_counts_its_own_seconds(tmp_path: Path) -> None:
    """What it lay still in between is no part of them, in no document, also the second time."""
    file, clock = chain(tmp_path, 1), FakeClock()
    turns = ((5, Raises()), (7, Raises()), (9, Returns()))
    broken = FakeRunner({"s1": [_taking(clock, *turn) for turn in turns]})
    record = run_fake(file, runner=broken, clock=clock)
    for seconds in (12, 21):
        clock.advance(3_600)
        record = _resume(record, file, runner=broken, clock=clock)
        assert record.seconds == pytest.approx(seconds)
    assert (record.ended or 0) - record.started == pytest.approx(2 * 3_600 + 21)
    kept = find_run(record.run_id, tmp_path / "runs")
    (row,) = runs_table(tmp_path / "runs").to_dict("records")
    document = json.loads((tmp_path / "runs" / record.run_id / "run.json").read_text())
    assert {kept.seconds, row["seconds"], document["seconds"]} == {record.seconds}


def test_a_run_that_was_killed_lay_still_since_it_was_last_heard_of(tmp_path: Path) -> None:
    """It could not write down when it ended; its log tells the last event."""
    file, clock = chain(tmp_path, 2), FakeClock()
    runner = FakeRunner({"s2": [_taking(clock, 5, Returns())]})
    record = run_fake(file, runner=runner, clock=clock)
    with contextlib.closing(Database(tmp_path / "runs" / "mlkit.db")) as database:
        database.save_run(replace(record, status=RunStatus.RUNNING, ended=None))
        database.drop_stages(record.run_id, {"s2"})
    clock.advance(3_600)
    again = _resume(record, file, runner=runner, clock=clock)
    assert again.seconds == pytest.approx(5)


def test_a_reused_result_does_not_wipe_the_attempts_of_this_run(tmp_path: Path) -> None:
    """A stage that failed here and is reused from elsewhere keeps its failed attempt."""
    file = chain(tmp_path, 1)
    failed = run_fake(file, runner=FakeRunner({"s1": [Raises()]}))
    run_fake(file)
    again = _resume(failed, file)
    assert (again.stages["s1"].status, again.stages["s1"].attempts) == ("cached", 1)
    folder = tmp_path / "runs" / again.run_id / "s1"
    assert (folder / "attempts" / "1" / "log.txt").is_file()
    assert (folder / "s1.txt").is_file()


def test_a_stage_that_is_never_reused_is_kept_within_its_run(tmp_path: Path) -> None:
    """`cache: false` is about other runs."""
    file = write_pipeline(
        tmp_path, Sketch(name="a", keys={"cache": False}), Sketch(name="b", upstream=("a",))
    )
    failed = run_fake(file, runner=FakeRunner({"b": [Raises()]}))
    runner = FakeRunner()
    _resume(failed, file, runner=runner)
    assert runner.stages == ["b"]


def test_a_stage_that_was_skipped_by_its_notebook_is_kept(tmp_path: Path) -> None:
    """It has finished."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", body="import mlkit; mlkit.skip('no')"),
        Sketch(name="b"),
    )
    failed = run_fake(file, runner=FakeRunner({"b": [Raises()]}))
    runner = FakeRunner()
    assert _resume(failed, file, runner=runner).stages["a"].status == "skipped"
    assert runner.stages == ["b"]


def test_todays_code_counts(tmp_path: Path) -> None:
    """A finished stage whose code has changed since runs again."""
    file = chain(tmp_path, 2)
    failed = run_fake(file, runner=FakeRunner({"s2": [Raises()]}))
    path = tmp_path / "s1.ipynb"
    path.write_text(path.read_text().replace("s1(", "S1("))
    again = _resume(failed, file)
    assert [a.number for a in again.stages["s1"].history] == [1, 2]
    assert Path(again.stages["s2"].outputs["out"]).read_text() == "s2(S1())"


def test_its_own_parameters_count(tmp_path: Path) -> None:
    """What the run was given, not what the environment or pipeline.yaml says today."""
    sketch = Sketch(name="a", body="open(out, 'w').write(str(rows))", declares="rows: int = 1")
    file = write_pipeline(tmp_path, sketch, parameters={"rows": 1})
    failed = run_fake(file, runner=FakeRunner({"a": [Raises()]}), parameters={"rows": 5})
    file.write_text(file.read_text().replace("rows: 1", "rows: 9"))
    again = _resume(failed, file)
    assert Path(again.stages["a"].outputs["out"]).read_text() == "5"
    assert again.parameters == {"rows": 5}


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("rows", "rows is 5 there, not 7"),
        ("a.rows", "a.rows is 5 there, not 7"),
        ("own", "own is its notebook's default there, not 7"),
    ],
)
def test_another_value_is_another_run(tmp_path: Path, name: str, fact: str) -> None:
    """The record would tell of the first value, and the artifacts hold the second."""
    declares = "rows: int = 1\nown: int = 2"
    sketch = Sketch(name="a", body="open(out, 'w').write(str(rows))", declares=declares)
    file = write_pipeline(tmp_path, sketch, parameters={"rows": 1})
    failed = run_fake(file, runner=FakeRunner({"a": [Raises()]}), parameters={"rows": 5})
    with pytest.raises(UsageError, match=re.escape(f"keeps its own parameters: {fact}")):
        resume(failed.run_id, file, parameters={name: 7}, services=fake_services())
    again = resume(failed.run_id, file, parameters={"rows": 5}, services=fake_services())
    assert again.parameters == {"rows": 5}
    assert Path(again.stages["a"].outputs["out"]).read_text() == "5"


def test_kept_stages_do_not_notify_again(tmp_path: Path) -> None:
    """People were told when they ended."""
    notify = {"on_success": ["json://host/hook"]}
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", keys={"notify": notify}),
        Sketch(name="b", upstream=("a",), keys={"notify": notify}),
    )
    first, second = RecordingNotifier(), RecordingNotifier()
    failed = run_fake(file, runner=FakeRunner({"b": [Raises()]}), notifier=first)
    _resume(failed, file, notifier=second)
    assert [title for _, title, _ in first.sent] == ["Stage 'a' succeeded"]
    assert [title for _, title, _ in second.sent] == ["Stage 'b' succeeded"]


def test_a_sensor_that_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    """The file may be gone by now."""
    (tmp_path / "x").touch()
    wait = {"path": "x", "every": "1s", "timeout": "2s"}
    file = write_pipeline(
        tmp_path, Sketch(name="a", keys={"wait_for": wait}), Sketch(name="b", upstream=("a",))
    )
    failed = run_fake(file, runner=FakeRunner({"b": [Raises()]}))
    (tmp_path / "x").unlink()
    assert _resume(failed, file).status == "succeeded"


def test_in_a_copy_of_its_project_the_run_of_the_copy_is_resumed(tmp_path: Path) -> None:
    """The run in the original stays as it was."""
    file = chain(tmp_path / "p", 2)
    record = run_fake(file, runner=FakeRunner({"s2": [Raises()]}))
    copy = tmp_path / "q" / file.name
    shutil.copytree(file.parent, copy.parent, symlinks=True)
    runner = FakeRunner()
    done = _resume(record, copy, runner=runner)
    assert (done.status, runner.stages) == ("succeeded", ["s2"])
    assert done.stages["s1"].outputs["out"].startswith(str(copy.parent))
    assert Path(done.stages["s2"].outputs["out"]).is_relative_to(copy.parent)
    assert find_run(record.run_id, file.parent / "runs").status == "failed"


def test_a_run_that_succeeded_can_be_resumed(tmp_path: Path) -> None:
    """Nothing happens."""
    file = chain(tmp_path)
    record = run_fake(file)
    runner = FakeRunner()
    assert _resume(record, file, runner=runner).stages == record.stages
    assert runner.stages == []


def test_a_damaged_artifact_of_the_run_is_made_good(tmp_path: Path) -> None:
    """A finished stage is kept if its file can be restored, and runs again if it cannot."""
    file = chain(tmp_path, 2)
    failed = run_fake(file, runner=FakeRunner({"s2": [Raises()]}))
    copy = Path(failed.stages["s1"].outputs["out"])
    copy.chmod(0o644)
    copy.write_text("scribble")
    runner = FakeRunner()
    again = _resume(failed, file, runner=runner)
    assert runner.stages == ["s2"]
    assert copy.read_text() == "s1()"
    assert again.warnings == ("s1/s1.txt was damaged and has been restored from the store",)


def test_the_list_of_a_map_that_was_not_known_yet_leaves_no_trace(tmp_path: Path) -> None:
    """The entry that stood for the whole stage is gone once there are instances."""
    file = dynamic_map(tmp_path)
    stopped = run_fake(file, runner=FakeRunner({"choose": [Raises()]}), fail_fast=True)
    assert "each" in stopped.stages
    again = _resume(stopped, file)
    kept = find_run(again.run_id, tmp_path / "runs")
    assert list(kept.stages) == ["choose", "each[a]", "each[b]", "each[c]", "all"]
    assert kept.stages == again.stages


def test_a_run_that_is_alive_is_refused(tmp_path: Path) -> None:
    """With what to do."""
    file = chain(tmp_path, 1)
    record = run_fake(file)
    folder = RunsFolder(tmp_path / "runs").run(record.run_id)
    with folder.lock(shared=False), pytest.raises(UsageError) as caught:
        _resume(record, file)
    assert str(caught.value) == (
        f"run {record.run_id} is alive. Wait until it has ended, or stop it first"
    )


def test_an_unknown_run_is_refused(tmp_path: Path) -> None:
    """And so is a run of another pipeline."""
    file = chain(tmp_path / "one", 1)
    run_fake(file)
    with pytest.raises(UnknownRunError, match="there is no run 'nonsense'"):
        resume("nonsense", file)
    other = chain(tmp_path / "two", 1, description="x")
    other.write_text(other.read_text().replace("name: sketched", "name: other"))
    record = run_fake(file)
    with pytest.raises(UsageError, match="is one of 'sketched', not of 'other'"):
        resume(record.run_id, other, runs_dir=tmp_path / "one" / "runs")


def test_leftovers_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    """What stood in `.staging` is gone, attempts that had ended are kept."""
    file = chain(tmp_path, 2)
    failed = run_fake(file, runner=FakeRunner({"s2": [Raises()]}))
    staging = tmp_path / "runs" / failed.run_id / ".staging"
    (staging / "s2").mkdir()
    ended = tmp_path / "runs" / failed.run_id / "s2" / "attempts"
    ended.replace(staging / "s2" / "attempts")
    (staging / "s2" / "attempts" / "2").mkdir()
    (staging / "s2" / "attempts" / "2" / "log.txt").write_text("half an attempt")
    (staging / "s2" / ".work-2").mkdir()
    (staging / "s2" / "s2.txt").write_text("half an artifact")
    (staging / "gone" / "attempts").mkdir(parents=True)
    (staging / "gone" / "x").write_text("x")
    (staging / ".old-1").mkdir()
    again = _resume(failed, file)
    attempts = tmp_path / "runs" / again.run_id / "s2" / "attempts"
    assert sorted(p.name for p in attempts.iterdir()) == ["1", "2"]
    assert (attempts / "2" / "log.txt").read_text() == ""
    assert [p for p in staging.rglob("*") if p.is_file()] == []


def test_the_events_say_that_it_goes_on(tmp_path: Path) -> None:
    """One log holds both parts."""
    file = chain(tmp_path, 2)
    failed = run_fake(file, runner=FakeRunner({"s2": [Raises()]}))
    seen = RecordingObserver()
    again = _resume(failed, file, observers=[seen], runner=FakeRunner({"s2": [Returns()]}))
    assert seen.told()[0] == ("run_resumed", None)
    text = (tmp_path / "runs" / again.run_id / "events.jsonl").read_text()
    assert text.count('"run_started"') == text.count('"run_resumed"') == 1


def test_an_old_run_that_is_resumed_does_not_hide_a_newer_one(tmp_path: Path) -> None:
    """`latest` is the newest successful run."""
    file = chain(tmp_path, 1)
    old = run_fake(file, runner=FakeRunner({"s1": [Raises()]}))
    new = run_fake(file)
    assert _resume(old, file).status == "succeeded"
    assert (tmp_path / "runs" / "latest").resolve().name == new.run_id
