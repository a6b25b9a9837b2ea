"""What a failure, a branch, a map, a sensor or a skip means for the rest of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.record import ErrorRecord, RunRecord
from mlkit.core.states import Status
from mlkit.notebook.notebook_runner import ExecutionRequest, ExecutionResult
from mlkit.testing import (
    FakeClock,
    FakeRunner,
    Raises,
    RecordingObserver,
    Returns,
    Sketch,
    run_fake,
    write_pipeline,
)


def _statuses(record: RunRecord) -> dict[str, str]:
    return {key: item.status.value for key, item in record.stages.items()}


def _sensor(tmp_path: Path, **wait: Any) -> Path:
    keys = {"wait_for": {"path": "in/*.csv", **wait}}
    return write_pipeline(tmp_path, Sketch(name="a", keys=keys))


def test_a_sensor_waits_until_a_file_matches(tmp_path: Path) -> None:
    """It looks every so often, and starts its stage."""
    file = _sensor(tmp_path, every="60s", timeout="1h")

    class Arriving(FakeClock):
        def wait(self, inbox: Any, timeout_s: float | None) -> Any:
            if len(self.waits) == 2:
                (tmp_path / "in").mkdir()
                (tmp_path / "in" / "x.csv").touch()
            return super().wait(inbox, timeout_s)

    clock, seen = Arriving(), RecordingObserver()
    record = run_fake(file, clock=clock, observers=[seen])
    assert record.status == "succeeded"
    assert clock.waits == [60.0, 60.0, 60.0]
    assert seen.of("stage_waiting")[0].data["for"].endswith("in/*.csv")


def test_a_sensor_gives_up(tmp_path: Path) -> None:
    """After its timeout, to the second; no notebook is started."""
    clock, runner = FakeClock(), FakeRunner()
    record = run_fake(_sensor(tmp_path, every="40s", timeout="100s"), clock=clock, runner=runner)
    error = record.stages["a"].error
    assert error is not None
    assert error.type == "SensorTimeout"
    assert error.message.endswith("in/*.csv in 1 min 40 s")
    assert clock.waits == [40.0, 40.0, 20.0]
    assert runner.stages == []


def test_a_sensor_is_asked_before_the_cache(tmp_path: Path) -> None:
    """A result of yesterday does not stand in for a file that is not there today."""
    file = _sensor(tmp_path, every="1s", timeout="2s")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.csv").touch()
    assert run_fake(file).status == "succeeded"
    (tmp_path / "in" / "x.csv").unlink()
    assert run_fake(file).status == "failed"


@pytest.mark.parametrize("folder", ["proj [v1]", "a*b", "what?", "[!x]", "[[]"])
@pytest.mark.parametrize("pattern", ["in.csv", "in/*.csv", "**/x[1].csv"])
def test_the_name_of_the_projects_folder_is_no_pattern(
    tmp_path: Path, folder: str, pattern: str
) -> None:
    """Only what the pipeline says is; people read the pattern as they know it."""
    file = _sensor(tmp_path / folder, path=pattern, every="1s", timeout="2s")
    error = run_fake(file).stages["a"].error
    assert error is not None
    assert error.message == f"no file matched {file.parent}/{pattern} in 2.0 s"
    found = file.parent / {"in.csv": "in.csv", "in/*.csv": "in/x.csv"}.get(pattern, "deep/x1.csv")
    found.parent.mkdir(exist_ok=True)
    found.touch()
    assert run_fake(file).status == "succeeded"


@pytest.mark.parametrize("pattern", ["in/x.csv", "in/*.csv"])
def test_a_link_that_leads_nowhere_is_waited_for(tmp_path: Path, pattern: str) -> None:
    """Nobody can read it yet; when what it names has come, the stage starts."""
    file = _sensor(tmp_path, path=pattern, every="1s", timeout="2s")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.csv").symlink_to(tmp_path / "later.csv")
    assert run_fake(file).status == "failed"
    (tmp_path / "later.csv").touch()
    assert run_fake(file).status == "succeeded"


CONNECTION = Raises(
    type="ConnectionError",
    bases=("requests.exceptions.RequestException", "builtins.OSError", "builtins.Exception"),
)


def _run(
    tmp_path: Path, retry: dict[str, Any], script: list[Any], **rest: Any
) -> tuple[RunRecord, FakeRunner]:
    file = write_pipeline(tmp_path, Sketch(name="a", keys={"retry": retry}))
    runner = FakeRunner({"a": script})
    return run_fake(file, runner=runner, **rest), runner


def test_three_retries_mean_at_most_four_attempts(tmp_path: Path) -> None:
    """`max_retries` counts what comes after the first attempt."""
    record, runner = _run(tmp_path, {"max_retries": 3}, [CONNECTION])
    assert record.status == "failed"
    assert runner.executed == [("a", 1), ("a", 2), ("a", 3), ("a", 4)]
    assert record.stages["a"].attempts == 4


def test_without_retries_there_is_one_attempt(tmp_path: Path) -> None:
    """The default is none."""
    assert _run(tmp_path, {}, [CONNECTION])[1].executed == [("a", 1)]


def test_a_retry_that_succeeds_is_a_success(tmp_path: Path) -> None:
    """The history tells all attempts, the record has no error."""
    record, _ = _run(tmp_path, {"max_retries": 2}, [CONNECTION, CONNECTION, Returns()])
    stage = record.stages["a"]
    assert record.status == "succeeded"
    assert [a.status.value for a in stage.history] == ["failed", "failed", "succeeded"]
    assert [a.error and a.error.type for a in stage.history] == ["ConnectionError"] * 2 + [None]
    assert stage.error is None


@pytest.mark.parametrize(
    ("on", "attempts"),
    [
        (["ConnectionError"], 2),
        (["OSError"], 2),
        (["RequestException"], 2),
        (["TimeoutError"], 1),
        (["ValueError", "OSError"], 2),
    ],
)
def test_classes_match_by_name_along_the_hierarchy(
    tmp_path: Path, on: list[str], attempts: int
) -> None:
    """Also classes of libraries that the driver cannot import."""
    record, _ = _run(tmp_path, {"max_retries": 1, "on": on}, [CONNECTION])
    assert record.stages["a"].attempts == attempts


@pytest.mark.parametrize("kind", ["StageTimeout", "DeadKernel"])
def test_timeouts_and_dead_kernels_are_retried_by_default(tmp_path: Path, kind: str) -> None:
    """They may pass by themselves."""
    record, _ = _run(tmp_path, {"max_retries": 1}, [Raises(type=kind)])
    assert record.stages["a"].attempts == 2


def test_a_lost_worker_is_counted_apart(tmp_path: Path) -> None:
    """Two attempts are made again beside the retries; a third loss is the stage's failure."""

    def lost(request: ExecutionRequest) -> ExecutionResult:
        gone = ErrorRecord(type="LostProcess", message="gone", bases=("mlkit.DeadKernel",))
        return ExecutionResult(status=Status.LOST, error=gone)

    retry = {"max_retries": 1, "delay": 0, "on": ["RuntimeError"]}
    file = write_pipeline(tmp_path, Sketch(name="a", keys={"retry": retry}))
    record = run_fake(file, runner=FakeRunner({"a": [lost, Raises(), lost, Returns()]}))
    states = [attempt.status.value for attempt in record.stages["a"].history]
    assert states == ["lost", "failed", "lost", "succeeded"]
    again = run_fake(file, force=True, runner=FakeRunner({"a": [lost, lost, lost]}))
    error = again.stages["a"].error
    assert error is not None
    assert (again.stages["a"].attempts, error.type) == (3, "LostProcess")


def test_a_missing_output_is_never_retried(tmp_path: Path) -> None:
    """It names the output; the next attempt would not write it either."""
    file = write_pipeline(tmp_path, Sketch(name="a", body="1", keys={"retry": {"max_retries": 3}}))
    stage = run_fake(file).stages["a"]
    assert stage.attempts == 1
    assert stage.error is not None
    assert stage.error.type == "MissingOutput"
    assert stage.error.message == "the declared output 'out' (a.txt) was not written"


@pytest.mark.parametrize("code", ["", "0", "3"])
def test_system_exit_is_a_failure_that_is_never_retried(tmp_path: Path, code: str) -> None:
    """Whatever its code."""
    body = f"open(out, 'w').write('x')\nraise SystemExit({code})"
    file = write_pipeline(tmp_path, Sketch(name="a", body=body, keys={"retry": {"max_retries": 3}}))
    stage = run_fake(file).stages["a"]
    assert (stage.status, stage.attempts) == ("failed", 1)
    assert stage.error is not None
    assert stage.error.type == "SystemExit"


def test_notebook_and_log_of_every_attempt_are_kept(tmp_path: Path) -> None:
    """Failed ones too, under their number."""
    body = "import os\nprint('attempt', turn)\nturn_file = open(out, 'w')\nturn_file.close()"
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", body=body, declares="turn: int = 7", keys={"retry": {"max_retries": 2}}),
    )
    record = run_fake(file, runner=FakeRunner({"a": [CONNECTION, CONNECTION, Returns()]}))
    attempts = tmp_path / "runs" / record.run_id / "a" / "attempts"
    assert sorted(p.name for p in attempts.iterdir()) == ["1", "2", "3"]
    for number in ("1", "2", "3"):
        notebook = json.loads((attempts / number / "notebook.ipynb").read_text())
        assert notebook["metadata"]["mlkit"]["attempt"] == int(number)
        assert (attempts / number / "log.txt").is_file()
    assert (attempts / "3" / "log.txt").read_text() == "attempt 7\n"


def test_history_is_in_the_events(tmp_path: Path) -> None:
    """Each attempt starts, ends and says why; a retry says when."""
    seen = RecordingObserver()
    _run(tmp_path, {"max_retries": 1}, [CONNECTION, Returns()], observers=[seen])
    kinds = [kind for kind, stage in seen.told() if stage == "a" and kind != "cell_started"]
    assert kinds == [
        "attempt_started",
        "attempt_finished",
        "retry_scheduled",
        "attempt_started",
        "attempt_finished",
        "stage_finished",
    ]
    assert seen.of("attempt_finished")[0].data["error"]["type"] == "ConnectionError"


def test_a_failed_attempt_leaves_no_artifact_behind(tmp_path: Path) -> None:
    """What it wrote before it failed is in no folder that anybody reads."""
    body = "open(out, 'w').write('half')\nraise ValueError('no')"
    file = write_pipeline(tmp_path, Sketch(name="a", body=body))
    record = run_fake(file)
    folder = tmp_path / "runs" / record.run_id
    assert record.stages["a"].artifacts == {}
    assert list(folder.rglob("a.txt")) == []
    assert [p for p in (tmp_path / "runs" / "store").rglob("*") if p.is_file()] == []
