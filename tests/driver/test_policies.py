"""What a failure, a branch, a map, a sensor or a skip means for the rest of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.record import RunRecord
from mlkit.testing import (
    FakeClock,
    FakeRunner,
    Raises,
    RecordingObserver,
    Sketch,
    Skips,
    branching,
    chain,
    diamond,
    dynamic_map,
    fan_out,
    mapped,
    run_fake,
    write_pipeline,
)


def _statuses(record: RunRecord) -> dict[str, str]:
    return {key: item.status.value for key, item in record.stages.items()}


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


@pytest.mark.parametrize("make", [mapped, dynamic_map])
@pytest.mark.parametrize("values", [["only"], ["b", "a", "c"], ["ä b", "{x}", "a/b", "%"], [3, 1]])
def test_a_map_runs_once_for_each_value_and_keeps_their_order(
    tmp_path: Path, make: Any, values: list[Any]
) -> None:
    """A stage that reads them receives the paths in the order of the list."""
    record = run_fake(make(tmp_path, values))
    each = [key for key in record.stages if key.startswith("each[")]
    assert each == [f"each[{value}]" for value in values]
    text = Path(record.stages["all"].outputs["out"]).read_text()
    assert text == ",".join(map(str, values))


def test_a_map_of_length_0_is_one_skipped_entry(tmp_path: Path) -> None:
    """A dependent by `none_failed` receives an empty list."""
    record = run_fake(dynamic_map(tmp_path, []))
    assert _statuses(record) == {"choose": "succeeded", "each": "skipped", "all": "succeeded"}
    assert Path(record.stages["all"].outputs["out"]).read_text() == ""


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("{}", "must hold a JSON list of scalars"),
        ("[[1]]", "must hold a JSON list of scalars"),
        ('["a", "a"]', "holds a value twice"),
        ("[", "holds no JSON"),
        ("[1]", "choose.out:"),
    ],
)
def test_a_list_that_cannot_be_mapped_over_fails_the_stage(
    tmp_path: Path, text: str, fact: str
) -> None:
    """With what is wrong about it."""
    file = dynamic_map(tmp_path)
    body = f"open(out, 'w').write({text!r})"
    notebook = json.loads((tmp_path / "choose.ipynb").read_text())
    notebook["cells"][1]["source"] = body
    (tmp_path / "choose.ipynb").write_text(json.dumps(notebook))
    error = run_fake(file).stages["each"].error
    assert error is not None
    assert fact in error.message


def test_one_instance_can_fail_alone(tmp_path: Path) -> None:
    """The others succeed; what reads them all is upstream_failed."""
    record = run_fake(mapped(tmp_path), runner=FakeRunner({"each[b]": [Raises()]}))
    assert _statuses(record) == {
        "each[a]": "succeeded",
        "each[b]": "failed",
        "each[c]": "succeeded",
        "all": "upstream_failed",
    }


def test_a_map_over_many_values(tmp_path: Path) -> None:
    """100 instances, in order."""
    values = [f"v{n}" for n in range(100)]
    record = run_fake(mapped(tmp_path, values))
    assert Path(record.stages["all"].outputs["out"]).read_text() == ",".join(values)


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
