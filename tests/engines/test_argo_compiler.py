"""What becomes of a pipeline in Argo's files, read as Argo reads them, without a cluster."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from mlkit.api.engine_runs import run_on
from mlkit.api.exports import export
from mlkit.api.records import find_run
from mlkit.core.record import RunRecord
from mlkit.engines.argo.compiler import compile_pipeline
from mlkit.errors import EngineError, UnsupportedByEngineError
from mlkit.load.parameters import Layers
from mlkit.load.pipeline_file import load_pipeline
from mlkit.testing import FakeRunner, Raises, Sketch, Skips, chain, run_fake, write_pipeline
from mlkit.testing.engine_pipelines import chains, dynamic_chain, not_critical
from mlkit.testing.engines import reasons, statuses
from tests.engines.argo_calls import without_kernels
from tests.engines.argo_workflow import Controller, objects_of, problems
from tests.engines.constructs import SETTINGS, constructs, in_image, placed
from tests.engines.flights import FLIGHTS
from tests.engines.test_kubeflow_random import random_sketch

GOLDEN = Path(__file__).with_name("golden")


def _exported(file: Path, runs_dir: Path, **parameters: Any) -> str:
    made = export(
        file, "argo", layers=Layers(environ={}, values=parameters), runs_dir=f"file://{runs_dir}"
    )
    return made.files[made.entry]


def _interpreted(
    file: Path, folder: Path, runner: FakeRunner, seed: int, **parameters: Any
) -> tuple[RunRecord, str, Controller]:
    """Run what is exported with pods that are faked: mlkit's record, and the workflow's phase."""
    runs = folder / "there"
    text = _exported(file, runs, **parameters)
    assert list(problems(text)) == []
    call = without_kernels(file, runs, runner)
    controller = Controller(text, folder / "pods", call, chance=random.Random(seed))
    phase = controller.run(**{"run-id": "there"})
    return find_run("there", runs), phase, controller


def _same(
    file: Path,
    folder: Path,
    told: dict[str, Sequence[Any]],
    seed: int = 0,
    marked: tuple[str, ...] = (),
) -> None:
    """The same states, reasons, attempts and calls as a run of mlkit's own."""
    mine, yours = (dict.fromkeys(marked, f"{folder}/{who}-") for who in ("mine", "yours"))
    local = run_fake(file, runner=FakeRunner(told), runs_dir=folder / "here", parameters=mine)
    there, phase, _ = _interpreted(file, folder, FakeRunner(told), seed, **yours)
    assert statuses(there) == statuses(local)
    assert reasons(there) == reasons(local)
    tried = {key: item.attempts for key, item in local.stages.items()}
    assert {key: item.attempts for key, item in there.stages.items()} == tried
    assert (phase == "Succeeded") is local.ok


def test_it_is_what_argo_reads(tmp_path: Path) -> None:
    """Every construct: its references lead somewhere, and so do its variables."""
    file = constructs(tmp_path)
    text = file.read_text("utf-8")
    file.write_text(text.replace("defaults:", 'defaults:\n  image: "registry.example/mlkit:1"'))
    made = compile_pipeline(load_pipeline(file), SETTINGS)
    assert list(problems(made.files[made.entry])) == []
    objects = objects_of(made.files[made.entry])
    templates = {t["name"]: t for t in objects["WorkflowTemplate"]["spec"]["templates"]}
    asked = templates["get-data"]
    assert asked["container"]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert asked["container"]["resources"]["requests"] == {"cpu": "2", "memory": "4Gi"}
    assert asked["nodeSelector"] == {"disk": "ssd"}
    assert templates["static"]["retryStrategy"]["backoff"] == {
        "duration": "1s",
        "factor": 3,
        "cap": "60s",
    }
    assert templates["wait"]["activeDeadlineSeconds"] == 3600 + 7200 + 60
    variables = [item["name"] for item in asked["container"]["env"]]
    assert variables == ["HOST", "TOKEN"]
    assert objects["CronWorkflow"]["spec"]["concurrencyPolicy"] == "Forbid"


@pytest.mark.parametrize("name", ["flights", "constructs"])
def test_the_file_is_the_golden_one(name: str, tmp_path: Path) -> None:
    """MLKIT_GOLDEN=write writes it anew, to be read before it is kept."""
    pipeline = load_pipeline(FLIGHTS if name == "flights" else constructs(tmp_path))
    settings = replace(SETTINGS, runs_dir="s3://bucket/runs")
    if name == "flights":
        settings = replace(settings, parameters={}, options=())
    made = compile_pipeline(placed(pipeline, "argo"), settings)
    golden = GOLDEN / f"argo-{name}.yaml.txt"
    text = made.files[made.entry]
    if os.environ.get("MLKIT_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_a_run_from_here_is_refused(tmp_path: Path) -> None:
    """With the reason, before anything is written."""
    with pytest.raises(EngineError, match="it runs in a Kubernetes cluster only") as caught:
        run_on(in_image(chain(tmp_path)), "argo")
    assert "mlkit export argo --to DIR" in str(caught.value.remedy)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("keys", "fact"),
    [
        ({}, "is a pod, and this one has no image"),
        ({"image": "i", "retry": {"max_retries": 1, "backoff": 1.5}}, "it takes whole factors"),
        ({"image": "i", "foreach": {"a": "top.out"}, "trigger": "all_done"}, "something failed"),
    ],
)
def test_what_argo_cannot_express_is_refused(
    tmp_path: Path, keys: dict[str, Any], fact: str
) -> None:
    """With the stage's line and a remedy."""
    top = Sketch(name="top", keys={"image": "i"})
    file = write_pipeline(tmp_path, top, Sketch(name="odd", declares="a = 'x'", keys=keys))
    with pytest.raises(UnsupportedByEngineError, match=fact) as caught:
        export(file, "argo", runs_dir="s3://bucket/runs")
    assert caught.value.line is not None
    assert caught.value.remedy


def test_chains_and_failures_end_as_here(tmp_path: Path) -> None:
    """Each instance waits for its own; what fails takes its own chain with it alone."""
    _same(in_image(dynamic_chain(tmp_path / "a", "none_failed")), tmp_path / "x", {})
    _same(in_image(not_critical(tmp_path / "b")), tmp_path / "y", {})
    file = in_image(chains(tmp_path / "c"))
    (tmp_path / "z").mkdir()
    _same(file, tmp_path / "z", {"collect[2]": [Raises()]}, marked=("marker",))


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
)
@given(seed=st.integers(0, 10**6))
@example(seed=2009)
def test_any_pipeline_ends_as_here(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Branches, maps, triggers and joins in any combination, some stages failing or skipping."""
    chance, sketches = random.Random(seed), list[Sketch]()
    for number in range(chance.randint(3, 7)):
        made = chance.choice(['"yes"', '"no"', '["a", "b c,d"]', "[]", "no JSON", '"{{ x }} %"'])
        body = f"open(out, 'w').write({made!r})"
        sketches.append(replace(random_sketch(chance, f"s{number}", sketches), body=body))
    folder = tmp_path_factory.mktemp("random")
    file = in_image(write_pipeline(folder / "p", *sketches))
    told: dict[str, Sequence[Any]] = {}
    for sketch in sketches:
        ends = chance.random()
        if ends < 0.25:
            told[sketch.name] = [Raises()] if ends < 0.15 else [Skips()]
    try:
        _same(file, folder, told, seed)
    except UnsupportedByEngineError:
        return
