"""The DAG file: as one would write it by hand, the same each time, and read by Airflow itself."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import kubernetes_validate
import pytest

from mlkit import load_pipeline
from mlkit.engines.airflow.compiler import compile_pipeline
from mlkit.engines.airflow.launch import airflow_environment
from mlkit.engines.airflow.tasks import tasks_of
from mlkit.engines.environments import engine_python
from mlkit.engines.export import ExportSettings
from mlkit.engines.python_text import formatted
from mlkit.engines.registry import ENGINES
from mlkit.engines.unrolling import unrolled
from mlkit.errors import UnsupportedByEngineError
from mlkit.testing import Sketch, chain, write_pipeline
from mlkit.testing.engine_pipelines import chains
from tests.engines.constructs import SETTINGS, constructs
from tests.engines.flights import FLIGHTS

GOLDEN = Path(__file__).parent / "golden"
FLIGHTS_SETTINGS = ExportSettings(
    mlkit=PurePosixPath("/opt/mlkit/bin/mlkit"),
    pipeline_file=PurePosixPath("/data/flights/pipeline.yaml"),
    runs_dir=PurePosixPath("/data/flights/runs"),
)


def _compiled(name: str, folder: Path) -> str:
    if name == "flights":
        made = compile_pipeline(load_pipeline(FLIGHTS), FLIGHTS_SETTINGS)
    else:
        write = {"constructs": constructs, "chains": chains}[name]
        made = compile_pipeline(load_pipeline(write(folder)), SETTINGS)
    return made.files[made.entry]


@pytest.mark.parametrize("name", ["flights", "constructs", "chains"])
def test_the_file_is_the_golden_one(name: str, tmp_path: Path) -> None:
    """MLKIT_GOLDEN=write writes it anew, to be read before it is kept."""
    golden = GOLDEN / f"airflow-{name}.py.txt"
    text = _compiled(name, tmp_path)
    if os.environ.get("MLKIT_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["flights", "constructs", "chains"])
def test_the_file_is_formatted_and_clean(name: str, tmp_path: Path) -> None:
    """Black would change nothing; Ruff finds no unused import and no unsorted one."""
    file = tmp_path / "dag.py"
    text = _compiled(name, tmp_path)
    assert formatted(text) == text
    file.write_text(text, encoding="utf-8")
    ruff = Path(sys.executable).parent / "ruff"
    words = ["check", "--isolated", "--select", "F,I,UP,B,N,RET,C4,PTH", str(file)]
    done = subprocess.run([ruff, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_file_needs_airflow_and_the_standard_library_only(tmp_path: Path) -> None:
    """Pods need Kubernetes' models; pendulum comes with Airflow."""
    tree = ast.parse(_compiled("constructs", tmp_path))
    tops = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert tops - set(sys.stdlib_module_names) == {"airflow", "pendulum", "kubernetes"}


def test_a_long_list_runs_there_as_it_does_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow maps over 1024 values unless it is told otherwise; one's own setting counts."""
    name = "AIRFLOW__CORE__MAX_MAP_LENGTH"
    monkeypatch.delenv(name, raising=False)
    python = tmp_path / "bin" / "python"
    given = airflow_environment(python, home=tmp_path, dags=tmp_path)
    assert int(given[name]) > 1024
    monkeypatch.setenv(name, "7")
    assert airflow_environment(python, home=tmp_path, dags=tmp_path)[name] == "7"


def test_a_secret_stays_in_the_environment(tmp_path: Path) -> None:
    """Neither its value nor its template stands in the file."""
    assert "TOKEN" not in _compiled("constructs", tmp_path)


@pytest.mark.parametrize(
    ("keys", "fact"),
    [
        ({"retry": {"max_retries": 2, "jitter": False}}, "'jitter: false' with a growing delay"),
    ],
)
def test_what_airflow_cannot_express_is_refused(
    keys: dict[str, Any], fact: str, tmp_path: Path
) -> None:
    """With the stage and its line."""
    pipeline = load_pipeline(write_pipeline(tmp_path, Sketch(name="odd", keys=keys)))
    with pytest.raises(UnsupportedByEngineError) as caught:
        compile_pipeline(pipeline, SETTINGS)
    assert caught.value.message.startswith(f"Airflow cannot express stage 'odd': {fact}")
    assert caught.value.line == pipeline.stages["odd"].line


def test_waiting_for_one_instance_of_an_unknown_list_is_refused(tmp_path: Path) -> None:
    """Airflow waits for all instances of a mapped task; those of a known list are tasks."""
    one = Sketch(name="one", declares="a: str = ''", keys={"inputs": {"a": "each[a].out"}})
    each = Sketch(name="each", declares="v: str = 'a'", keys={"foreach": {"v": "top.out"}})
    pipeline = load_pipeline(write_pipeline(tmp_path, Sketch(name="top"), each, one))
    with pytest.raises(UnsupportedByEngineError, match=r"'one': it waits for each\[a\] alone"):
        compile_pipeline(pipeline, SETTINGS)


def test_exact_delays_that_do_not_grow_are_expressed(tmp_path: Path) -> None:
    """Airflow keeps to a fixed delay to the second."""
    retry = {"max_retries": 2, "jitter": False, "backoff": 1}
    pipeline = load_pipeline(write_pipeline(tmp_path, Sketch(name="a", keys={"retry": retry})))
    text = "".join(compile_pipeline(pipeline, SETTINGS).files.values())
    assert "retry_exponential_backoff" not in text


def test_only_pipelines_that_need_it_get_a_verdict(tmp_path: Path) -> None:
    """Where the last tasks tell how the run ended, there is none."""
    assert [t.id for t in tasks_of(unrolled(load_pipeline(chain(tmp_path, 2))))] == ["s1", "s2"]


_READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from kubernetes.client import ApiClient
bag = DagBag(dag_folder=sys.argv[1])
told = {"errors": dict(bag.import_errors), "dags": {}}
for dag in bag.dags.values():
    tasks = {}
    for task in dag.tasks:
        known = getattr(task, "partial_kwargs", {})
        def of(name):
            item = getattr(task, name, None)
            item = known.get(name, item) if known else item
            return getattr(item, "total_seconds", lambda: item)()
        pod = (of("executor_config") or {}).get("pod_override")
        tasks[task.task_id] = {
            "upstream": sorted(task.upstream_task_ids),
            "rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
            "retries": of("retries"),
            "delay": of("retry_delay"),
            "backoff": of("retry_exponential_backoff"),
            "longest": of("max_retry_delay"),
            "timeout": of("execution_timeout"),
            "pod": None if pod is None else ApiClient().sanitize_for_serialization(pod),
        }
    told["dags"][dag.dag_id] = {
        "schedule": str(dag.schedule), "timetable": dag.timetable.__class__.__name__,
        "catchup": dag.catchup, "tags": sorted(dag.tags), "params": dag.params.dump(),
        "description": dag.description, "tasks": tasks, "at_once": dag.max_active_tasks,
        "runs_at_once": dag.max_active_runs,
    }
print("told:" + json.dumps(told, default=str))
"""


@cache
def _read(folder: Path) -> dict[str, Any]:
    """What Airflow's own parser says of both files."""
    python = engine_python(ENGINES["airflow"], os.environ)
    dags = folder / "dags"
    dags.mkdir()
    for name in ("flights", "constructs", "chains"):
        text = _compiled(name, folder / name)
        (dags / f"{name}.py").write_text(text, encoding="utf-8")
    environ = airflow_environment(python, home=folder / "home", dags=dags)
    done = subprocess.run(
        [python, "-c", _READ, str(dags)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("told:"))
    told: dict[str, Any] = json.loads(line.removeprefix("told:"))
    assert told["errors"] == {}
    found: dict[str, Any] = told["dags"]
    return found


def test_nobody_elses_database_is_written(tmp_path: Path) -> None:
    """The home's own is named as Airflow reads it, over what the environment says otherwise."""
    found = airflow_environment(Path("/airflow/bin/python"), home=tmp_path, dags=tmp_path / "dags")
    assert found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{tmp_path}/airflow.db"
    settings = [name for name in found if name.startswith("AIRFLOW_") and name != "AIRFLOW_HOME"]
    assert {name for name in settings if "__" in name[:9]} == set(settings) - {
        "AIRFLOW_CONN_FS_DEFAULT"
    }


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Airflow's answers, asked once."""
    return _read(tmp_path_factory.mktemp("airflow"))


@pytest.mark.engine
def test_airflow_reads_the_dag_as_it_was_meant(dags: dict[str, Any], tmp_path: Path) -> None:
    """Schedule, tags, parameters, every task with what it waits for."""
    flights = dags["flights"]
    assert (flights["schedule"], flights["catchup"], flights["tags"]) == (
        "0 2 * * *",
        False,
        ["mlkit"],
    )
    assert flights["params"]["rows"] == 20000
    assert (flights["runs_at_once"], dags["sketched"]["at_once"]) == (1, 3)
    constructed = dags["sketched"]
    assert constructed["timetable"] == "CronDataIntervalTimetable"
    assert constructed["params"] == {"rows": 50, "text": 'say "{{ hello }}"', "join.n": 2}
    for name, pipeline in (
        ("flights", FLIGHTS),
        ("sketched", constructs(tmp_path / "constructs")),
        ("chained", chains(tmp_path / "chains")),
    ):
        tasks = tasks_of(unrolled(load_pipeline(pipeline)))
        wanted = {task.id: (sorted(task.upstream), task.rule) for task in tasks}
        found = {k: (t["upstream"], t["rule"]) for k, t in dags[name]["tasks"].items()}
        assert found == wanted


@pytest.mark.engine
def test_airflow_reads_the_policies(dags: dict[str, Any]) -> None:
    """Defaults, a stage's own, and those that a stage does not have."""
    tasks = dags["sketched"]["tasks"]
    policy = {
        name: [tasks[name][k] for k in ("retries", "delay", "backoff", "longest", "timeout")]
        for name in ("yes", "no", "decide", "static", "wait")
    }
    assert policy == {
        "yes": [2, 1.0, 2, None, 660.0],
        "no": [2, 1.0, 2, None, 150.0],
        "decide": [3, 0.5, 0, None, 660.0],
        "static": [4, 1.0, 3, 60.0, 660.0],
        "wait": [2, 1.0, 2, None, 3660.0],
    }


@pytest.mark.engine
def test_airflow_reads_what_a_stage_asks_of_its_machine(dags: dict[str, Any]) -> None:
    """Image, CPU, memory, GPU and node reach the pod."""
    spec = dags["sketched"]["tasks"]["get-data"]["pod"]["spec"]
    container = spec["containers"][0]
    assert (container["name"], container["image"]) == ("base", "registry.example/mlkit:1")
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "4Gi"}
    limits = {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"}
    assert container["resources"]["limits"] == limits
    assert spec["nodeSelector"] == {"disk": "ssd"}


@pytest.mark.engine
def test_kubernetes_takes_the_pods(dags: dict[str, Any]) -> None:
    """Every pod that a task asks for fits Kubernetes' own schema, and nothing in it is unknown."""
    pods = {k: task["pod"] for k, task in dags["sketched"]["tasks"].items() if task["pod"]}
    assert pods
    for name, pod in pods.items():
        whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, **pod}
        kubernetes_validate.validate(whole, "1.37", strict=True)
    wrong = {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": "none"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.37", strict=True)
