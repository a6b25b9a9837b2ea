"""A pipeline as a Prefect flow: what is written, and what is refused."""

from __future__ import annotations

import ast
import itertools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from ruamel.yaml import YAML

from mlkit import load_pipeline
from mlkit.core.pipeline import Pipeline
from mlkit.core.states import Status
from mlkit.core.triggers import TriggerRule, judge
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.prefect.compiler import compile_pipeline
from mlkit.engines.prefect.placing import quantity
from mlkit.engines.python_text import formatted
from mlkit.errors import UnsupportedByEngineError
from mlkit.testing import Sketch, chain, diamond, write_pipeline
from mlkit.testing.engine_pipelines import everything
from tests.engines.carried import loaded

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("golden")
SETTINGS = ExportSettings(
    mlkit=PurePosixPath("/opt/mlkit/bin/mlkit"),
    pipeline_file=PurePosixPath("/data/pipeline.yaml"),
    runs_dir=PurePosixPath("/data/runs"),
)


def exported(pipeline: Pipeline | Path, **settings: Any) -> Export:
    """Compile a pipeline."""
    whole = load_pipeline(pipeline) if isinstance(pipeline, Path) else pipeline
    return compile_pipeline(whole, replace(SETTINGS, **settings))


def flow_of(pipeline: Pipeline | Path, **settings: Any) -> str:
    """The text of the flow."""
    made = exported(pipeline, **settings)
    return made.files[made.entry]


def every_construct(folder: Path) -> Pipeline:
    """The contract's largest pipeline, as if it stood in /data."""
    pipeline = load_pipeline(everything(folder))
    stages = dict(pipeline.stages)
    sensor = stages["sensing"].wait_for
    assert sensor is not None
    sensor = replace(sensor, path=PurePosixPath("/data/ready.txt"))
    stages["sensing"] = replace(stages["sensing"], wait_for=sensor)
    return replace(pipeline, stages=stages)


def test_prefect_takes_a_name_with_signs(tmp_path: Path) -> None:
    """It refuses five of them when it loads a flow; another stands in their place."""
    file = chain(tmp_path, name="R&D: 50 % / <x>")
    assert 'name="R-D: 50 - - -x-"' in flow_of(file)
    told = YAML(typ="safe").load(exported(file).files["prefect.yaml"])
    assert [d["name"] for d in told["deployments"]] == ["R-D: 50 - - -x-"]


@pytest.mark.parametrize("name", ["flights", "everything"])
def test_the_files_are_as_if_written_by_hand(name: str, tmp_path: Path) -> None:
    """MLKIT_GOLDEN=write writes them anew, for somebody to read."""
    pipeline = load_pipeline(ROOT / "notebooks" / "flights")
    made = exported(pipeline if name == "flights" else every_construct(tmp_path))
    for file in (made.entry, "prefect.yaml"):
        golden = GOLDEN / f"prefect-{name}" / f"{file}.txt"
        if os.environ.get("MLKIT_GOLDEN") == "write":
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(made.files[file])
        assert made.files[file] == golden.read_text()


def test_the_same_pipeline_gives_the_same_bytes(tmp_path: Path) -> None:
    """Loaded anew each time."""
    file = everything(tmp_path)
    assert exported(file) == exported(file)


def test_a_formatter_leaves_the_flow_as_it_is(tmp_path: Path) -> None:
    """Black would change nothing."""
    for text in (flow_of(every_construct(tmp_path)), flow_of(ROOT / "notebooks" / "flights")):
        assert formatted(text) == text


@pytest.mark.parametrize("rule", list(TriggerRule))
def test_the_trigger_rules_are_those_of_the_core(rule: TriggerRule) -> None:
    """For every mixture of up to four upstream stages."""
    kinds = {
        "succeeded": Status.SUCCEEDED,
        "skipped": Status.SKIPPED,
        "failed": Status.FAILED,
        "waiting": Status.RUNNING,
    }
    shipped = loaded("prefect", "mlkit_upstream").judge
    for count in range(5):
        for states in itertools.combinations_with_replacement(kinds, count):
            expected = judge(rule, [kinds[state] for state in states]).value
            assert shipped(rule.value, states) == expected, states


def test_names_that_mean_something_already_are_kept_apart(tmp_path: Path) -> None:
    """A stage called like a parameter, the flow, a helper, a keyword or another stage's future."""
    names = ("flow", "given", "rows", "class", "a", "a_run", "A", "a-b", "a_b")
    sketches = [Sketch(name=name, file=f"{place}.txt") for place, name in enumerate(names)]
    for place, sketch in enumerate(sketches):
        folder = tmp_path / f"n{place}"
        sketches[place] = replace(sketch, keys={"notebook": f"{folder.name}.ipynb"})
    file = write_pipeline(tmp_path, *sketches, name="rows", parameters={"rows": 1})
    for place, sketch in enumerate(sketches):
        (tmp_path / f"{sketch.name}.ipynb").rename(tmp_path / f"n{place}.ipynb")
    tree = ast.parse(flow_of(file))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert len(functions) == len(set(functions)) == len(names) + 1
    flow = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.args.args)
    assert not {"flow", "given", "class", "rows"} & set(functions)
    assert flow.name in functions


def test_what_was_given_becomes_a_default_or_a_word_of_the_call(tmp_path: Path) -> None:
    """The pipeline's own parameters, and those of one stage."""
    sketch = Sketch(name="s", declares="rows: int = 1\nn: int = 2")
    file = write_pipeline(tmp_path, sketch, parameters={"rows": 1})
    text = flow_of(file, parameters={"rows": 7, "s.n": 3}, options=("--verify",))
    assert "rows: int = 7," in text or "rows: int = 7)" in text
    assert 'options=["--verify", "-p", "s.n:=3"]' in text


def test_a_profile_stands_in_the_flow_and_is_chosen_again_by_each_call(tmp_path: Path) -> None:
    """Its values are shown, and are no reason to hand anything on."""
    sketch = Sketch(name="s", declares="rows: int = 1\nseed: int = 1")
    profiles = {"prod": {"parameters": {"rows": 9}}}
    file = write_pipeline(tmp_path, sketch, parameters={"rows": 1, "seed": 2}, profiles=profiles)
    text = flow_of(load_pipeline(file, profile="prod"), options=("--profile", "prod"))
    assert "def sketched(\n    rows: int = 9," in text
    assert 'options=["--profile", "prod"],\n    parameters={"rows": 9, "seed": 2},' in text


@pytest.mark.parametrize(
    ("given", "handed_on"),
    [
        ({"rows": 1, "share": 2.0, "on": True}, []),
        ({"rows": 3, "share": 2.5, "on": False}, ["rows:=3", "share:=2.5", "on:=false"]),
        ({"rows": True, "share": 2.0, "on": 1}, ["rows:=true", "on:=1"]),
        ({"rows": 1.0, "other": 1}, ["other:=1"]),
    ],
)
def test_a_run_hands_on_what_it_was_given_otherwise(
    given: dict[str, Any], handed_on: list[str]
) -> None:
    """What is handed on wins over a stage's own parameters, so that nothing else may be."""
    stages = loaded("prefect", "mlkit_stages")
    known = {"rows": 1, "share": 2, "on": True}
    pipeline = stages.Pipeline(mlkit="/m", file="p", runs_dir="r", parameters=known)
    run = stages.Run(pipeline, run_id="1", logical_date="", parameters=given)
    assert run._where[3:] == [word for text in handed_on for word in ("-p", text)]


def test_secrets_and_the_environment_stay_out(tmp_path: Path) -> None:
    """Prefect keeps and shows a flow's parameters; mlkit reads these where it runs."""
    declares = 'import mlkit\ntoken: mlkit.Secret = ""\nplace: str = ""\nrows: int = 1'
    sketch = Sketch(name="s", declares=declares)
    parameters = {"token": "${TOKEN}", "place": "${PLACE}/x", "rows": 1}
    text = flow_of(write_pipeline(tmp_path, sketch, parameters=parameters))
    assert "token" not in text
    assert "PLACE" not in text
    assert "def sketched(rows: int = 1" in text


def test_rules_that_decide_early_do_not_wait_for_everything(tmp_path: Path) -> None:
    """`one_failed` looks on while others run; `always` looks at nothing but its data."""
    first = Sketch(name="first", keys={"after": ["a", "b"], "trigger": "one_failed"})
    at_once = Sketch(name="at_once", upstream=("a",), keys={"after": ["b"], "trigger": "always"})
    text = flow_of(write_pipeline(tmp_path, Sketch(name="a"), Sketch(name="b"), first, at_once))
    assert 'first.submit(run, given({"a": early(a_run), "b": early(b_run)}))' in text
    assert 'at_once.submit(run, given({"a": a_run}))' in text


def placed(folder: Path, *stages: Mapping[str, Any]) -> Path:
    """A pipeline whose stages have some keys."""
    sketches = [Sketch(name=f"s{place}", keys=keys) for place, keys in enumerate(stages)]
    return write_pipeline(folder, *sketches)


def test_resources_become_job_variables_that_the_pool_takes(tmp_path: Path) -> None:
    """One job runs the flow, so it gets the most that a stage asks for."""
    file = placed(
        tmp_path,
        {"resources": {"cpu": "500m", "memory": "1Gi"}, "image": "registry/ml:1"},
        {"resources": {"cpu": "2", "memory": "900M", "gpu": 1, "node_selector": {"disk": "ssd"}}},
    )
    files = exported(file).files
    deployment = YAML(typ="safe").load(files["prefect.yaml"])["deployments"][0]
    variables = deployment["work_pool"]["job_variables"]
    assert variables == {
        "image": "registry/ml:1",
        "cpu": "2",
        "memory": "1Gi",
        "gpu": 1,
        "node_selector": {"disk": "ssd"},
    }
    template = json.loads(files["kubernetes-job-template.json"])
    assert variables.keys() <= template["variables"]["properties"].keys()
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "{{ gpu }}"}


@pytest.mark.parametrize(
    ("less", "more"), [("500m", "1"), ("1G", "1Gi"), ("900M", "1Gi"), ("1.5", "2"), ("9Ki", "9Mi")]
)
def test_quantities_are_compared_by_size(less: str, more: str) -> None:
    """Not as texts."""
    assert quantity(less) < quantity(more)


@pytest.mark.parametrize(
    ("stages", "fact"),
    [
        (({"image": "a:1"}, {"image": "b:1"}), "in the image that stage 's0' names"),
        (
            (
                {"resources": {"node_selector": {"disk": "ssd"}}},
                {"resources": {"node_selector": {"disk": "hdd"}}},
            ),
            "wants a node whose 'disk' is ssd, not hdd",
        ),
        (({}, {"retry": {"max_retries": 60}}), "at most 50 different delays"),
    ],
)
def test_what_prefect_cannot_express_is_refused(
    tmp_path: Path, stages: tuple[Mapping[str, Any], ...], fact: str
) -> None:
    """With the stage, its line and a remedy."""
    with pytest.raises(UnsupportedByEngineError, match="stage 's1'") as caught:
        exported(placed(tmp_path, *stages))
    assert fact in caught.value.message
    assert caught.value.line
    assert caught.value.remedy


def test_a_parameter_called_run_id_is_refused(tmp_path: Path) -> None:
    """The flow has one of its own."""
    sketch = Sketch(name="s", declares="run_id: str = ''")
    file = write_pipeline(tmp_path, sketch, parameters={"run_id": ""})
    with pytest.raises(UnsupportedByEngineError, match="another name"):
        exported(file)


def test_many_equal_delays_are_no_trouble(tmp_path: Path) -> None:
    """Prefect repeats the last one."""
    file = placed(tmp_path, {"retry": {"max_retries": 60, "max_delay": "5s"}})
    tree = ast.parse(flow_of(file))
    lists = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.List)]
    assert any(text.startswith("[1, 2, 4, 5, 5") and text.count(",") == 49 for text in lists)


def test_a_flow_submits_what_it_can_before_it_stands_still(tmp_path: Path) -> None:
    """Reading the values of a dynamic map holds the flow up; what does not need it goes first."""
    from mlkit.testing import dynamic_map

    file = dynamic_map(tmp_path)
    text = file.read_text() + "  zebra:\n    notebook: choose.ipynb\n    outputs: {out: z.json}\n"
    file.write_text(text)
    flow = flow_of(file)
    assert flow.index("zebra_run =") < flow.index("each_values = labels(choose_run")


@pytest.mark.parametrize("shape", [chain, diamond])
def test_a_schedule_reaches_flow_and_deployment(tmp_path: Path, shape: Callable[..., Path]) -> None:
    """As the same cron expression."""
    files = exported(shape(tmp_path, schedule="0 2 * * 1")).files
    assert 'schedule="0 2 * * 1"' in files["sketched_flow.py"]
    deployment = YAML(typ="safe").load(files["prefect.yaml"])["deployments"][0]
    assert deployment["schedules"] == [{"cron": "0 2 * * 1"}]


def test_a_deployment_runs_once_at_a_time(tmp_path: Path) -> None:
    """A further run waits, as with every engine."""
    files = exported(chain(tmp_path)).files
    deployment = YAML(typ="safe").load(files["prefect.yaml"])["deployments"][0]
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


def test_a_list_without_values_is_a_task_that_others_wait_for(tmp_path: Path) -> None:
    """Without one they would start before what stands above the list; mlkit skips it."""
    over: dict[str, Any] = {"foreach": {"a": []}}
    file = write_pipeline(
        tmp_path,
        Sketch(name="top"),
        Sketch(name="g", declares="a: str = ''", keys={**over, "after": ["top"]}),
        Sketch(name="h", declares="a: str = ''", keys={**over, "after": ["g[a]"]}),
        Sketch(name="last", keys={"after": ["h"], "trigger": "none_failed"}),
    )
    text = " ".join(flow_of(file).split())
    assert 'g.map(unmapped(run), [NO_VALUE], unmapped(given({"top": top_run})))' in text
    assert 'h.map(unmapped(run), [NO_VALUE], unmapped(given({"g[a]": g_runs})))' in text
