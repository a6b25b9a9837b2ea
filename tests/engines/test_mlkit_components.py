"""The functions that a compiled pipeline carries, without kfp."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.engines.carried import loaded, speaking_mlkit


def with_facts(mlkit: Path, runs_dir: str = "/runs") -> Any:
    """The module, as a pipeline with some facts carries it."""
    facts = {
        "mlkit": str(mlkit),
        "pipeline": "/p.yaml",
        "runs_dir": runs_dir,
        "options": ["--verify"],
        "notifies": True,
    }
    return loaded("kubeflow", "mlkit_components", facts=lambda: facts)


class Shown:
    """What stands for an output in kfp's console."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}


class Measured(Shown):
    """As kfp's own class keeps metrics."""

    def log_metric(self, metric: str, value: float) -> None:
        """Keep one."""
        self.metadata[metric] = value


def answer(status: str, **outputs: str) -> str:
    """What `mlkit run --json` prints of one stage."""
    return json.dumps({"stages": {"s": {"status": status, "outputs": outputs}}})


def test_a_stage_hands_on_its_state_and_paths(tmp_path: Path) -> None:
    """A path that is not there is empty; the call says everything."""
    components = with_facts(speaking_mlkit(tmp_path, 0, answer("succeeded", out="/o")))
    given = ("s", {"out": Shown(), "more": Shown()}, "", ["rows:=1"], "job", "task")
    components.recorded = lambda run, instance: {}
    assert components.run_stage(*given, scheduled_at="2013") == ("succeeded", "/o", "")
    told = json.loads((tmp_path / "called.json").read_text())
    assert told["words"] == [
        *("run", "--only", "s", "--run-id", "kubeflow-job", "/p.yaml", "--runs-dir", "/runs"),
        *("--json", "--verify", "-p", "rows:=1"),
    ]
    assert told["environ"]["MLKIT_ENGINE_SCHEDULED"] == "2013"


@pytest.mark.parametrize(
    ("code", "status", "critical", "ends"),
    [
        (99, "skipped", True, "skipped"),
        (1, "failed", False, "failed"),
        (1, "failed", True, 1),
        (1, "cancelled", False, 1),
        (2, "failed", True, 2),
    ],
)
def test_a_task_ends_as_mlkit_says(
    tmp_path: Path, code: int, status: str, *, critical: bool, ends: Any
) -> None:
    """A skipped stage and one that is not critical hand on their state."""
    components = with_facts(speaking_mlkit(tmp_path, code, answer(status)))
    given: tuple[Any, ...] = ("s", {}, "run", [], "job", "task")
    if isinstance(ends, str):
        assert components.run_stage(*given, critical=critical) == (ends,)
        return
    with pytest.raises(SystemExit) as caught:
        components.run_stage(*given, critical=critical)
    assert caught.value.code == ends


@pytest.mark.parametrize("behind_url", [False, True])
def test_kfp_is_told_what_its_artifacts_are(tmp_path: Path, *, behind_url: bool) -> None:
    """Digest, path, size, run and stage, and a stage's numbers; of what was not made, no digest."""
    out = {"path": "/o.json", "digest": "d1", "size_bytes": 7}
    stage = {"artifacts": {"out": out, "scores": out}, "metrics": {"loss": 0.5, "f": math.inf}}
    record = json.dumps({"stages": {"s[a]": stage}})
    mlkit = speaking_mlkit(tmp_path, 0, record if behind_url else "no document")
    components = with_facts(mlkit, "s3://bucket/runs" if behind_url else str(tmp_path))
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "run.json").write_text('{"stages": {}}' if behind_url else record)
    shown = {"out": Shown(), "scores": Measured(), "more": Shown()}
    components.describe(shown, "r", "s[a]")
    where = {"run": "r", "stage": "s[a]"}
    known = {**where, "digest": "d1", "path": "/o.json", "bytes": 7}
    assert {name: item.metadata for name, item in shown.items()} == {
        "out": known,
        "scores": {**known, "loss": 0.5},
        "more": where,
    }
    assert (tmp_path / "called.json").exists() is behind_url


def test_an_image_has_an_mlkit_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the exporter's is not, the one on the path is called."""
    own = speaking_mlkit(tmp_path, 0, "{}")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert with_facts(Path("/nowhere/mlkit")).mlkit_words("show", "r")[0] == str(own)


def test_values_are_read_from_artifacts(tmp_path: Path) -> None:
    """A word for a branch, a list for a loop, values to compare strictly."""
    components = with_facts(tmp_path)

    def written(item: Any) -> str:
        file = tmp_path / "x.json"
        file.write_text(json.dumps(item))
        return str(file)

    words = [components.read_value(written(item)) for item in ("a-b", "a b", True, ["a"])]
    assert [*words, components.read_value("")] == ["a-b", "", "", "", ""]
    assert components.read_instances("s", written([1, True, "x"]), False) == [
        *("s[1]", "s[true]", "s[x]")
    ]
    assert components.read_instances("s", written([1]), True) == ["s[1.0]"]
    assert components.read_instances("s", written([]), False) == ["s"]
    assert components.conditions_hold(written(1), [["1", '"a"']]) == "yes"
    assert components.conditions_hold(written(True), [["1"]]) == "no"
    assert components.conditions_hold("", [["null"]]) == "no"


def test_a_file_is_waited_for_as_long_as_it_may_take(tmp_path: Path) -> None:
    """Behind something skipped, not at all; a link that leads nowhere is no file."""
    components = with_facts(tmp_path)
    wait = components.wait_for_file
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere")
    assert wait(str(tmp_path / "*.csv"), 0.01, 0.0, "succeeded") == "not found"
    assert wait(str(tmp_path / "*.csv"), 60.0, 60.0, "succeeded skipped") == "skipped"
    (tmp_path / "a.csv").touch()
    assert wait(str(tmp_path / "*.csv"), 60.0, 60.0, "") == "found"
