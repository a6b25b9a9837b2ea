"""The loop: workers, events, records, long chains, odd paths."""

from __future__ import annotations

import inspect
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mlkit import find_run, plan
from mlkit.core.record import RunRecord
from mlkit.testing import (
    FakeRunner,
    Raises,
    RecordingObserver,
    Sketch,
    Skips,
    branching,
    chain,
    diamond,
    fan_out,
    mapped,
    run_fake,
    write_pipeline,
)


def _statuses(record: RunRecord) -> dict[str, str]:
    return {key: item.status.value for key, item in record.stages.items()}


def test_no_more_attempts_run_at_once_than_there_are_workers(tmp_path: Path) -> None:
    """With real threads."""
    import threading

    from mlkit import RunOptions, run
    from mlkit.driver.services import Services
    from mlkit.load.parameters import Layers

    lock, now, most = threading.Lock(), [0], [0]
    meet = threading.Event()

    def busy(request: Any) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        meet.wait(0.05)
        with lock:
            now[0] -= 1

    names = [f"leaf{n}" for n in range(1, 7)]
    record = run(
        fan_out(tmp_path, 6),
        options=RunOptions(workers=3),
        layers=Layers(),
        services=Services(runner=FakeRunner({name: [busy] for name in names})),
    )
    assert record.ok
    assert most[0] == 3


def test_a_long_chain_of_cached_stages_does_not_recurse(tmp_path: Path) -> None:
    """The depth of calls does not grow with the number of stages."""
    file = chain(tmp_path, 150)
    assert run_fake(file).status == "succeeded"
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 120)
    try:
        record = run_fake(file)
    finally:
        sys.setrecursionlimit(before)
    assert set(_statuses(record).values()) == {"cached"}


@pytest.mark.slow
def test_a_thousand_cached_stages_take_seconds(tmp_path: Path) -> None:
    """Load, plan and run are linear in the number of stages."""
    file = chain(tmp_path, 1000)
    run_fake(file)
    started = time.perf_counter()
    found = plan(file)
    record = run_fake(file)
    assert {item.action for item in found.values()} == {"reuse"}
    assert set(_statuses(record).values()) == {"cached"}
    assert time.perf_counter() - started < 30


def test_events_come_in_order_and_the_log_holds_them_all(tmp_path: Path) -> None:
    """events.jsonl is what observers saw, first run_started and last run_finished."""
    seen = RecordingObserver()
    record = run_fake(diamond(tmp_path), observers=[seen])
    log = tmp_path / "runs" / record.run_id / "events.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines == [event.to_json() for event in seen.events]
    assert (lines[0]["event"], lines[-1]["event"]) == ("run_started", "run_finished")
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    for stage in ("left", "right"):
        ends = seen.told().index(("stage_finished", "top"))
        assert ends < seen.told().index(("attempt_started", stage))
    assert lines[-1]["counts"] == {"succeeded": 4}


def test_an_observer_that_fails_is_told_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It cannot fail a run."""
    calls = []

    def broken(event: object) -> None:
        calls.append(event)
        raise ValueError("broken observer")

    assert run_fake(chain(tmp_path), observers=[broken]).status == "succeeded"
    assert len(calls) == 1
    assert "an observer failed" in capsys.readouterr().err


def test_run_json_is_readable_and_whole(tmp_path: Path) -> None:
    """It holds every stage with attempts, artifacts and parameters; no mlkit is needed."""
    record = run_fake(diamond(tmp_path))
    document = json.loads((tmp_path / "runs" / record.run_id / "run.json").read_text())
    assert document == record.to_full_json()
    assert document["status"] == "succeeded"
    bottom = document["stages"]["bottom"]
    assert bottom["history"][0]["status"] == "succeeded"
    assert Path(bottom["outputs"]["out"]).read_text() == "bottom(left(top()),right(top()))"


def test_latest_is_the_newest_complete_success(tmp_path: Path) -> None:
    """Not a failed run, not a part of a pipeline; reused files are there, too."""
    file = chain(tmp_path, 2)
    latest = tmp_path / "runs" / "latest"
    run_fake(file, until="s1")
    assert not latest.exists()
    run_fake(file)
    good = run_fake(file)
    assert latest.resolve().name == good.run_id
    assert (latest / "s1" / "s1.txt").read_text() == "s1()"
    assert latest.readlink() == Path(good.run_id)
    run_fake(file, runner=FakeRunner({"s2": [Raises()]}), force=frozenset({"s2"}))
    run_fake(file, only="s2")
    assert latest.resolve().name == good.run_id


@pytest.mark.parametrize(
    "odd", ["with space", "br{a}ce{0}", "ünï-日本", "%41", "quote'\"", "a;b&c"]
)
def test_odd_paths_work(tmp_path: Path, odd: str) -> None:
    """In the folder of the pipeline and of the runs, and as values of a map."""
    file = mapped(tmp_path / odd, [odd, "plain"])
    record = run_fake(file, runs_dir=tmp_path / f"runs {odd}")
    assert record.status == "succeeded"
    assert Path(record.stages["all"].outputs["out"]).read_text() == f"{odd},plain"
    again = run_fake(file, runs_dir=tmp_path / f"runs {odd}")
    assert set(_statuses(again).values()) == {"cached"}


def test_independent_branches_finish(tmp_path: Path) -> None:
    """A critical failure fails the run, and stops only what depends on it."""
    record = run_fake(diamond(tmp_path), runner=FakeRunner({"left": [Raises()]}))
    assert record.status == "failed"
    assert _statuses(record) == {
        "top": "succeeded",
        "left": "failed",
        "right": "succeeded",
        "bottom": "upstream_failed",
    }
    assert record.stages["bottom"].reason == "all_success: left failed"


def test_a_reason_names_all_who_decided_whoever_was_first(tmp_path: Path) -> None:
    """What ends at the first failure is told of the later ones too, where it is kept as well."""
    over = {"month": [1, 2]}
    read = {"a": "left[month].out", "b": "right[month].out"}
    file = write_pipeline(
        tmp_path,
        Sketch(name="left", declares="month: int = 1", keys={"foreach": over}),
        Sketch(name="right", declares="month: int = 1", keys={"foreach": over}),
        Sketch(
            name="both",
            declares="month: int = 1\na: str = ''\nb: str = ''",
            keys={"foreach": over, "inputs": read},
        ),
        Sketch(name="every", keys={"after": ["left", "right"], "trigger": "all_failed"}),
        Sketch(name="last", keys={"after": ["both"]}),
    )
    told = {name: [Raises()] for name in ("left[1]", "right[1]", "right[2]")}
    record = run_fake(file, runner=FakeRunner(told), workers=1)
    found = {key: item.reason for key, item in record.stages.items()}
    assert {key: found[key] for key in ("both[1]", "both[2]", "every", "last")} == {
        "both[1]": "all_success: left[1] failed, right[1] failed",
        "both[2]": "all_success: right[2] failed",
        "every": "all_failed: left[1] failed, left[2] succeeded, right[1] failed, right[2] failed",
        "last": "all_success: both[1] upstream_failed, both[2] upstream_failed",
    }
    kept = find_run(record.run_id, tmp_path / "runs")
    assert {key: item.reason for key, item in kept.stages.items()} == found
    document = json.loads((tmp_path / "runs" / record.run_id / "run.json").read_text("utf-8"))
    assert {key: item["reason"] for key, item in document["stages"].items()} == found


def test_fail_fast_stops_everything(tmp_path: Path) -> None:
    """What has not started is cancelled, and the run has failed."""
    record = run_fake(
        fan_out(tmp_path), runner=FakeRunner({"leaf1": [Raises()]}), fail_fast=True, workers=1
    )
    assert record.status == "failed"
    assert _statuses(record) == {
        "source": "succeeded",
        "leaf1": "failed",
        "leaf2": "cancelled",
        "leaf3": "cancelled",
    }
    assert record.stages["leaf2"].reason == "stage 'leaf1' failed (--fail-fast)"


def test_a_failure_that_is_not_critical_does_not_fail_the_run(tmp_path: Path) -> None:
    """What depends on it is upstream_failed; the run succeeded, and not fail-fast either."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", keys={"critical": False}),
        Sketch(name="b", upstream=("a",)),
        Sketch(name="c"),
    )
    record = run_fake(file, runner=FakeRunner({"a": [Raises()]}), fail_fast=True)
    assert record.status == "succeeded"
    assert _statuses(record) == {"a": "failed", "b": "upstream_failed", "c": "succeeded"}


def test_a_trigger_starts_a_stage_with_a_missing_input_as_none(tmp_path: Path) -> None:
    """If the annotation allows it."""
    file = write_pipeline(
        tmp_path, Sketch(name="a"), Sketch(name="b", upstream=("a",), keys={"trigger": "all_done"})
    )
    record = run_fake(file, runner=FakeRunner({"a": [Raises()]}))
    assert Path(record.stages["b"].outputs["out"]).read_text() == "b()"


def test_a_missing_input_that_may_not_be_none_fails_the_stage(tmp_path: Path) -> None:
    """Without starting its notebook."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a"),
        Sketch(
            name="b",
            declares='a: str = ""',
            keys={"inputs": {"a": "a.out"}, "trigger": "all_done"},
        ),
    )
    runner = FakeRunner({"a": [Raises()]})
    error = run_fake(file, runner=runner).stages["b"].error
    assert error is not None
    assert error.message == (
        "the input 'a' (a.out) was not made, and what the notebook declares does not allow "
        "None; annotate it 'str | None' if the stage can do without"
    )
    assert runner.stages == ["a"]


def test_a_branch_not_taken_is_skipped_and_joined(tmp_path: Path) -> None:
    """`none_failed_min_one_success` goes on after one branch."""
    record = run_fake(branching(tmp_path))
    assert _statuses(record) == {
        "decide": "succeeded",
        "yes": "succeeded",
        "no": "skipped",
        "finish": "succeeded",
    }
    other = run_fake(tmp_path / "pipeline.yaml", parameters={"decide.decision": "no"})
    assert (other.stages["yes"].status, other.stages["no"].status) == ("skipped", "succeeded")


def test_a_skip_skips_what_depends_on_it(tmp_path: Path) -> None:
    """`mlkit.skip` is no failure."""
    record = run_fake(chain(tmp_path), runner=FakeRunner({"s1": [Skips(reason="no news")]}))
    assert record.status == "succeeded"
    assert _statuses(record) == {"s1": "skipped", "s2": "skipped", "s3": "skipped"}
    assert record.stages["s1"].reason == "no news"


def test_a_condition_on_no_json_fails_the_stage(tmp_path: Path) -> None:
    """With the artifact's name."""
    file = write_pipeline(tmp_path, Sketch(name="a"), Sketch(name="b", keys={"when": {"a.out": 1}}))
    error = run_fake(file).stages["b"].error
    assert error is not None
    assert error.message.startswith("'when' looks at a.out, which holds no JSON value")


def test_instances_that_fail_together_end_once_each(tmp_path: Path) -> None:
    """Also when the first failure stops the run."""
    keys = {"when": {"a.out": 1}, "foreach": {"x": [1, 2, 3]}}
    file = write_pipeline(tmp_path, Sketch(name="a"), Sketch(name="b", declares="x = 0", keys=keys))
    seen = RecordingObserver()
    record = run_fake(file, observers=[seen], fail_fast=True)
    ended = [event.stage for event in seen.events if event.kind == "stage_finished"]
    assert ended == ["a", "b[1]", "b[2]", "b[3]"]
    assert record.status == "failed"
    assert {item.status for item in record.stages.values() if item.stage == "b"} == {"failed"}
