"""Volumes of a stage on engines that place work; without any, artifacts could not be handed on."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from mlkit.api.exports import export
from mlkit.engines.carrying import module_text
from mlkit.engines.environments import engine_python
from mlkit.engines.export import Export
from mlkit.engines.registry import ENGINES
from mlkit.errors import UnsupportedByEngineError
from mlkit.testing import chain
from mlkit.testing.engine_pipelines import everything
from tests.engines.argo_workflow import objects_of, problems

VOLUMES = """defaults:
  image: "registry.example/mlkit:1"
  volumes:
    work: {claim: data, path: /data/}
    settings: {config_map: app, path: /etc/app}
    keys: {secret: app-keys, path: /etc/keys}
"""


def _exported(
    folder: Path, engine: str, head: str = VOLUMES, runs_dir: str = "/data/runs"
) -> Export:
    file = chain(folder)
    file.write_text(head + file.read_text("utf-8"), encoding="utf-8")
    place = runs_dir if "://" in runs_dir else Path(runs_dir)
    return export(file, engine, runs_dir=place)


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("airflow", '"work": ["claim", "data", "/data"]'),
        ("kubeflow", 'mount_pvc(s1_task, pvc_name="data", mount_path="/data")'),
        ("kubeflow", 'use_secret_as_volume(s1_task, secret_name="app-keys"'),
        ("prefect", '{"name": "work", "persistentVolumeClaim": {"claimName": "data"}}'),
        ("argo", "claimName: data"),
    ],
)
def test_volumes_reach_the_engine(tmp_path: Path, engine: str, said: str) -> None:
    """Claims, config maps and secrets, where the stage finds them."""
    made = _exported(tmp_path, engine)
    text = " ".join(" ".join(made.files.values()).split())
    assert said in text.replace("( ", "(").replace(", )", ")")


def test_airflows_own_tasks_find_what_they_read(tmp_path: Path) -> None:
    """A branch, a list, a sensor and the verdict are pods of their own beside those of stages."""
    file = everything(tmp_path)
    text = file.read_text("utf-8").replace(
        "trigger: none_failed_min_one_success", "critical: false"
    )
    file.write_text(VOLUMES + text, encoding="utf-8")
    made = export(file, "airflow", runs_dir=Path("/data/runs"))
    calls = [n for n in ast.walk(ast.parse(made.files[made.entry])) if isinstance(n, ast.Call)]
    placed = {}
    for made_by in calls:
        named = {word.arg: ast.unparse(word.value) for word in made_by.keywords}
        if "task_id" in named:
            placed[ast.literal_eval(named["task_id"])] = named.get("executor_config", "")
    own = {"decide.out", "dynamic.values", "sensing.file", "verdict"}
    assert own <= placed.keys()
    assert {name for name, pod in placed.items() if "'/data'" not in pod} == set()


def test_argo_mounts_what_it_names(tmp_path: Path) -> None:
    """In each pod, the last one, too."""
    made = _exported(tmp_path, "argo")
    text = made.files[made.entry]
    assert list(problems(text)) == []
    templates = objects_of(text)["WorkflowTemplate"]["spec"]["templates"]
    for template in (item for item in templates if "container" in item):
        mounts = {m["name"]: m["mountPath"] for m in template["container"]["volumeMounts"]}
        assert mounts["work"] == "/data"
        assert [v["name"] for v in template["volumes"]] == ["work", "settings", "keys"]


@pytest.mark.parametrize("engine", ["airflow", "kubeflow", "argo"])
def test_pods_that_share_nothing_are_refused(tmp_path: Path, engine: str) -> None:
    """With the stage's line and both remedies; a volume elsewhere does not help, a URL does."""
    head = VOLUMES.replace("/data/", "/elsewhere")
    with pytest.raises(UnsupportedByEngineError, match="no volume holds /data/runs") as caught:
        _exported(tmp_path / "a", engine, head)
    assert caught.value.line is not None
    assert "s3://" in str(caught.value.remedy)
    with pytest.raises(UnsupportedByEngineError, match="no volume holds /data/runs"):
        _exported(tmp_path / "b", engine, head, "file:///data/runs")
    assert _exported(tmp_path / "c", engine, VOLUMES, "file:///data/runs").files
    assert _exported(tmp_path / "d", engine, head, "s3://bucket/runs").files


@pytest.mark.engine
def test_the_pods_are_valid_for_kubernetes(tmp_path: Path) -> None:
    """Airflow's by its own classes, Argo's by hera; both by Kubernetes' schema."""
    made = _exported(tmp_path, "argo")
    (tmp_path / "argo.yaml").write_text(made.files[made.entry], encoding="utf-8")
    (tmp_path / "mlkit_dag.py").write_text(module_text("airflow", "mlkit_dag"), encoding="utf-8")
    code = (
        "import json, mlkit_dag; from kubernetes.client import ApiClient\n"
        "v = {'work': ['claim', 'data', '/data'], 'a': ['config_map', 'app', '/etc/app'],\n"
        "     'b': ['secret', 'keys', '/etc/keys']}\n"
        "p = mlkit_dag.pod(image='i', cpu='500m', gpu=1, volumes=v)['pod_override']\n"
        "print(json.dumps(ApiClient().sanitize_for_serialization(p)))"
    )
    python = engine_python(ENGINES["airflow"], os.environ)
    pod = json.loads(_said([python, "-W", "ignore", "-c", code], tmp_path).splitlines()[-1])
    pod |= {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "task"}}
    (tmp_path / "pod.json").write_text(json.dumps(pod), encoding="utf-8")
    reads = Path(__file__).with_name("hera_reads.py")
    for file in ("argo.yaml", "pod.json"):
        words = [engine_python(ENGINES["argo"], os.environ), reads, tmp_path / file]
        assert json.loads(_said(words, tmp_path)) == []
    names = [item["name"] for item in pod["spec"]["volumes"]]
    assert names == ["work", "a", "b"]


def _said(words: Sequence[str | Path], folder: Path) -> str:
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=True, cwd=folder)
    return done.stdout
