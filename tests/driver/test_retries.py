"""Retries: which failures, how often, after how long, and what is kept of each attempt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.policies import Retry
from mlkit.core.record import RunRecord
from mlkit.driver.backoff import delay_before
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


def test_backoff_without_jitter_is_exact(tmp_path: Path) -> None:
    """Delays are `delay * backoff ** n`, at most `max_delay`; nothing else waits."""
    clock, seen = FakeClock(), RecordingObserver()
    retry = {"max_retries": 5, "delay": "1s", "backoff": 3, "max_delay": "20s", "jitter": False}
    record, _ = _run(tmp_path, retry, [CONNECTION], clock=clock, observers=[seen])
    assert clock.waits == [1.0, 3.0, 9.0, 20.0, 20.0]
    assert [e.data["delay_s"] for e in seen.of("retry_scheduled")] == clock.waits
    assert [a.delay_s for a in record.stages["a"].history] == [0.0, *clock.waits]


def test_jitter_draws_between_half_and_all(tmp_path: Path) -> None:
    """It is on by default."""
    clock = FakeClock()
    _run(tmp_path, {"max_retries": 4, "delay": "8s", "backoff": 1}, [CONNECTION], clock=clock)
    assert all(4 <= wait <= 8 for wait in clock.waits)
    assert len(set(clock.waits)) > 1


@given(
    st.floats(0.01, 100), st.floats(1, 4), st.floats(0.1, 1000), st.integers(0, 200), st.booleans()
)
def test_no_delay_exceeds_the_longest(
    delay: float, factor: float, longest: float, n: int, jitter: object
) -> None:
    """For any policy and any number of retries, without overflow."""
    retry = Retry(delay_s=delay, backoff=factor, max_delay_s=longest, jitter=bool(jitter))
    assert 0 <= delay_before(retry, n) <= longest


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
