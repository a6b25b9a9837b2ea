"""The listings of the page about clusters, tried as far as one machine can."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import dask_kubernetes
import jsonschema
import kubernetes_validate
import pytest
from dask_jobqueue.slurm import SLURMCluster
from dask_kubernetes.operator import KubeCluster
from ruamel.yaml import YAML

from mlkit.api.exports import export
from mlkit.testing import chain
from tests.engines.argo_workflow import objects_of, problems

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(heading: str) -> dict[str, str]:
    """The listings below a heading, by their language."""
    (section,) = re.findall(rf"^## {heading}$(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    return dict(_BLOCK.findall(section))


@pytest.mark.kernel
@pytest.mark.parametrize("place", ["NFS", "S3"])
def test_two_machines(place: str, tmp_path: Path, bucket: str) -> None:
    """The second reuses all that the first has made, and sees both runs."""
    made: list[dict[str, Any]] = []
    data = tmp_path / "data"
    chain(data / "flights")
    for line in _blocks(f"Two machines with {place}")["text"].splitlines():
        machine, _, command = line.partition("#")[0].strip().partition("$ ")
        home = tmp_path / machine
        if place == "S3" and not (home / "flights").exists():
            shutil.copytree(data / "flights", home / "flights")
        home.mkdir(exist_ok=True)
        text = command.replace("s3://team-bucket/flights", "URL").replace("/data/", f"{data}/")
        words = [bucket if word == "URL" else word for word in text.split()]
        assert words[0] == "mlkit"
        done = subprocess.run(
            [Path(sys.executable).with_name("mlkit"), *words[1:], "--json"],
            cwd=home,
            env={**os.environ, "MLKIT_CACHE_DIR": str(home / "cache")},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        made.append(json.loads(done.stdout))
    first, second, runs = made
    assert {item["status"] for item in first["stages"].values()} == {"succeeded"}
    assert {item["status"] for item in second["stages"].values()} == {"cached"}
    assert {item["run_id"] for item in runs["runs"]} == {first["run_id"], second["run_id"]}


def test_the_cluster_on_slurm_is_one_of_dask_jobqueue() -> None:
    """Its own class takes every argument, and the job that it would submit is the one meant."""
    job = _called("SLURM", "SLURMCluster", SLURMCluster)
    script = str(job.job_script())
    job.close()
    lines = script.splitlines()
    assert {"#SBATCH -p work", "#SBATCH --cpus-per-task=2", "#SBATCH -t 04:00:00"} <= set(lines)
    (worker,) = [line for line in lines if "dask_worker" in line]
    port = job.scheduler_spec["options"]["port"]
    assert f":{port} " in worker
    assert "--nthreads 2" in worker
    assert "--lifetime 3h50m" in worker
    assert f"dask://localhost:{port} " in _blocks("SLURM")["text"]


def test_an_argument_that_dask_jobqueue_does_not_know_is_refused() -> None:
    """Otherwise the test above would hold nothing."""
    with pytest.raises(ValueError, match="wall_time"):
        SLURMCluster(cores=2, memory="8GB", wall_time="04:00:00")


def _called(heading: str, name: str, what: Callable[..., Any]) -> Any:
    """Call what a listing calls by this name, with the arguments that stand there."""
    tree = ast.parse(_blocks(heading)["python"])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (made,) = [call for call in calls if ast.unparse(call.func) == name]
    return what(**{str(word.arg): ast.literal_eval(word.value) for word in made.keywords})


@pytest.mark.long
def test_the_cluster_on_kubernetes_is_one_of_dask_kubernetes() -> None:
    """The operator's schema takes it, and its pods are what Kubernetes calls pods."""
    taken: list[dict[str, Any]] = []

    def started(*, custom_cluster_spec: dict[str, Any], **more: Any) -> None:
        taken.append(custom_cluster_spec)
        inspect.signature(KubeCluster).bind(custom_cluster_spec=custom_cluster_spec, **more)

    listing = _blocks("Kubernetes with Dask")["python"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dask_kubernetes.operator.KubeCluster", started)  # it would ask a cluster
        exec(compile(listing, "workers.py", "exec"), {})
    (cluster,) = taken
    _held_against_schemas(cluster)
    worker, scheduler = (cluster["spec"][role]["spec"] for role in ("worker", "scheduler"))
    told = _told_to_dask(worker["containers"][0]["args"])
    assert (told["nthreads"], told["name"]) == (2, "$(DASK_WORKER_NAME)")
    assert _told_to_dask(scheduler["containers"][0]["args"])["host"] == "0.0.0.0"
    (port,) = [p for p in scheduler["containers"][0]["ports"] if p["name"] == "tcp-comm"]
    address = f"{cluster['metadata']['name']}-scheduler:{port['containerPort']}"
    assert f'"dask://{address}"' in _blocks("Kubernetes with Dask")["console"]
    with pytest.raises(jsonschema.ValidationError):
        _held_against_schemas({**cluster, "spec": {**cluster["spec"], "worker": {"replicas": "4"}}})
    worker["containers"][0]["envFrom"] = [{"secret": "team-bucket"}]
    with pytest.raises(kubernetes_validate.ValidationError):
        _held_against_schemas(cluster)


def _told_to_dask(arguments: Sequence[str]) -> dict[str, Any]:
    """What a container's command tells Dask; the program is installed with what the image has."""
    program, command, *options = arguments
    assert shutil.which(program, path=str(Path(sys.executable).parent))
    (known,) = metadata.entry_points(group="dask_cli", name=command)
    told: dict[str, Any] = known.load().make_context(command, options).params
    return told


def _held_against_schemas(cluster: dict[str, Any]) -> None:
    """Ask the schema that the operator puts into a cluster, and Kubernetes' own."""
    home = Path(dask_kubernetes.__file__).parent / "operator" / "deployment" / "helm"
    text = (home / "dask-kubernetes-operator" / "crds" / "daskcluster.yaml").read_text("utf-8")
    (version,) = YAML(typ="safe").load(text)["spec"]["versions"]
    jsonschema.validate(cluster, version["schema"]["openAPIV3Schema"])
    for role in ("worker", "scheduler"):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": role}}
        kubernetes_validate.validate(
            {**pod, "spec": cluster["spec"][role]["spec"]}, "1.37", strict=True
        )


def test_the_defaults_for_kubernetes_are_exported(tmp_path: Path) -> None:
    """By what the page says: image, volume, and the runs within it."""
    blocks = _blocks("Kubernetes")
    file = chain(tmp_path)
    file.write_text(blocks["yaml"] + file.read_text("utf-8"), encoding="utf-8")
    words = blocks["console"].splitlines()[0].split()
    made = export(file, words[3], runs_dir=words[words.index("--runs-dir") + 1])
    assert list(problems(made.files[made.entry])) == []
    facts = json.loads(objects_of(made.files[made.entry])["ConfigMap"]["data"]["facts.json"])
    assert facts["runs_dir"] == "file:///data/runs"
