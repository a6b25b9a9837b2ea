"""Kubeflow Pipelines keeps the contract of engines, compiles what it is given, and submits it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ruamel.yaml import YAML

from mlkit.api.engine_runs import run_on
from mlkit.api.exports import compile_export, export, write_export
from mlkit.core.record import RunRecord
from mlkit.core.states import Status
from mlkit.driver.options import RunOptions
from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from mlkit.errors import UnsupportedByEngineError
from mlkit.load.parameters import Layers
from mlkit.testing import Sketch, chain, write_pipeline
from mlkit.testing.engines import digests, statuses
from tests.engines.flights import FLIGHTS, BucketContract
from tests.engines.kubeflow_cluster import Cluster
from tests.engines.test_kubeflow_compiler import PIPELINES

pytestmark = [pytest.mark.engine, pytest.mark.kernel, pytest.mark.timeout(900)]

_ENDED = re.compile(r"Task '([^']+)' finished with status (SUCCESS|FAILURE)")
_COLOUR = re.compile(r"\x1b\[\d+m")
_WORDS = {"SUCCESS": "success", "FAILURE": "failed"}


class TestKubeflow(BucketContract):
    """Every pipeline of the contract, by kfp's local runner."""

    engine: ClassVar[str] = "kubeflow"
    loops_after_failures: ClassVar[bool] = False

    def own_states(self, record: RunRecord) -> Mapping[str, str]:
        """What kfp's runner says of each task; of a retried one, the last."""
        log = Path(record.runs_dir, record.run_id, "engine", "kubeflow.log").read_text()
        ended = dict(_ENDED.findall(_COLOUR.sub("", log)))
        return {
            name: _WORDS[ended[name.replace("_", "-")]]
            for name in {item.stage for item in record.stages.values()}
            if name.replace("_", "-") in ended
        }

    def test_the_flights_pipeline(self, tmp_path: Path) -> None:
        """Every stage, with the digests of a local run; then what is unchanged is reused.

        The first run registered a champion, so the second looks at the registry and at what follows
        from it, here and there.
        """
        given = {"rows": 2000, "months": [1], "tune.n_candidates": 2}
        local = self.here(FLIGHTS, tmp_path / "here", **given)
        there = self.on_engine(FLIGHTS, tmp_path / "there", **given)
        assert (there.ok, statuses(there)) == (True, statuses(local)), there.warnings
        assert digests(there) == digests(local)
        again = self.on_engine(FLIGHTS, tmp_path / "there", **given)
        wanted = self.here(FLIGHTS, tmp_path / "here", **given)
        assert {key: item.status for key, item in again.stages.items()} == {
            key: item.status for key, item in wanted.stages.items()
        }
        ran = {key for key, item in again.stages.items() if item.status is Status.SUCCEEDED}
        assert ran == {"champion", "gate", "register", "finish"}

    @pytest.mark.slow
    def test_one_instance_and_a_patient_stage(self, tmp_path: Path) -> None:
        """A stage goes on when the one instance that it needs is there, whatever of the others."""
        body = "assert value == 'a'\nfrom pathlib import Path\nPath(out).write_text(value)"
        declares = 'value: str = "a"'
        keys = {"foreach": {"value": ["a", "b"]}}
        file = write_pipeline(
            tmp_path / "pipeline",
            Sketch(name="each", declares=declares, body=body, keys=keys),
            Sketch(name="one", declares='p: str = ""', keys={"inputs": {"p": "each[a].out"}}),
            Sketch(name="other", declares='p: str = ""', keys={"inputs": {"p": "each[b].out"}}),
            Sketch(name="some", keys={"after": ["each"], "trigger": "one_failed"}),
        )
        _, there = self.both(file)
        assert [there.stages[n].status.value for n in ("one", "other", "some")] == [
            *("succeeded", "upstream_failed", "succeeded")
        ]

    @pytest.mark.slow
    @pytest.mark.parametrize("fails", [False, True])
    def test_branches_within_branches(self, tmp_path: Path, *, fails: bool) -> None:
        """With a map and a condition on two values inside, and a join outside."""
        write = "import json\nfrom pathlib import Path\nPath(out).write_text(json.dumps({!r}))"
        file = write_pipeline(
            tmp_path / "pipeline",
            Sketch(name="a", body=write.format("go"), file="a.json"),
            Sketch(
                name="b", body="raise ValueError" if fails else write.format("it's"), file="b.json"
            ),
            Sketch(name="outer", keys={"when": {"a.out": "go"}}),
            Sketch(
                name="inner",
                upstream=("outer",),
                keys={"when": {"a.out": ["go", "on"], "b.out": "it's"}},
            ),
            Sketch(
                name="each",
                declares='value: str = ""\ninner: str = ""',
                keys={"foreach": {"value": ["x", "y"]}, "inputs": {"inner": "inner.out"}},
            ),
            Sketch(name="never", keys={"when": {"b.out": "other"}}),
            Sketch(name="join", keys={"after": ["each", "never"], "trigger": "none_failed"}),
        )
        _, there = self.both(file)
        assert (there.ok, there.stages["outer"].status) == (not fails, Status.SUCCEEDED)

    @pytest.mark.parametrize("name", sorted(PIPELINES))
    def test_kfp_compiles_what_is_exported(self, tmp_path: Path, name: str) -> None:
        """By its own compiler, to a file that its own parser takes."""
        shared = "s3://bucket/runs" if name == "placed" else None  # pods need a place in common
        file = PIPELINES[name](tmp_path / "pipeline")
        made = export(file, "kubeflow", layers=Layers(environ={}), runs_dir=shared)
        write_export(made, tmp_path / "made")
        (compiled,) = compile_export(made, tmp_path / "made", os.environ)
        documents = list(YAML(typ="safe", pure=True).load_all(compiled.read_text()))
        assert _tasks(documents[0])
        cached = [t for t in _tasks(documents[0]) if t["cachingOptions"].get("enableCache")]
        assert cached == []
        _parse(compiled)
        if name == "placed":
            _check_placement(*documents)
        if name == "flights":
            _check_artifacts(documents[0])

    def test_a_cluster_receives_the_pipeline_and_runs_it(self, tmp_path: Path) -> None:
        """Through kfp's client; the record is that of any run."""
        file = write_pipeline(
            tmp_path / "pipeline",
            Sketch(name="s1", file="s1.csv"),
            Sketch(
                name="s2",
                upstream=("s1",),
                body="from pathlib import Path\nPath(out).write_text('{\"loss\": 0.25}')",
                file="s2.json",
                keys={"metrics": {"loss": "out.loss"}},
            ),
            defaults={"image": "registry/mlkit:1"},
        )
        with Cluster(engine_python(ENGINES["kubeflow"], os.environ), tmp_path) as cluster:
            record = run_on(
                file,
                "kubeflow",
                layers=Layers(environ={}),
                runs_dir=tmp_path / "runs",
                options=RunOptions(workers=2),
                host=cluster.url,
            )
        assert record.ok, record.warnings
        (experiment,), (run,) = cluster.bodies("/experiments"), cluster.bodies("/runs")
        assert (experiment["display_name"], run["experiment_id"]) == ("sketched", "e1")
        assert run["runtime_config"]["parameters"] == {"run_id": record.run_id}
        executors = run["pipeline_spec"]["deploymentSpec"]["executors"].values()
        assert {item["container"]["image"] for item in executors} == {"registry/mlkit:1"}
        log = _COLOUR.sub("", (tmp_path / "run-1.log").read_text())
        for name, kind in {"s1": "Dataset", "s2": "Metrics"}.items():
            (told,) = re.findall(rf"out_artifact: {kind}\(.*?metadata=(\{{.*?\}})", log, re.DOTALL)
            made = record.stages[name].artifacts["out"]
            assert ast.literal_eval(told) == {
                **{"run": record.run_id, "stage": name, "path": made.path},
                **{"digest": made.digest, "bytes": made.size_bytes},
                **({"loss": 0.25} if kind == "Metrics" else {}),
            }

    def test_a_cluster_receives_the_schedule(self, tmp_path: Path) -> None:
        """As a recurring run that catches up on nothing and caches nothing."""
        made = export(chain(tmp_path / "p", schedule="0 2 * * 7"), "kubeflow", layers=Layers())
        folder = tmp_path / "made"
        write_export(made, folder)
        python = engine_python(ENGINES["kubeflow"], os.environ)
        with Cluster(python, tmp_path) as cluster:
            words = [str(python), "-W", "ignore", str(folder / made.entry), "submit", cluster.url]
            subprocess.run([*words, "--recurring"], check=True, capture_output=True)
        (sent,) = cluster.bodies("/recurringruns")
        assert sent["trigger"] == {"cron_schedule": {"cron": "0 0 2 * * 0"}}
        assert (sent["no_catchup"], sent["max_concurrency"], sent["mode"]) == (True, 1, "ENABLE")

    def test_a_cluster_needs_images(self, tmp_path: Path) -> None:
        """Refused before anything runs; a cluster has no mlkit of its own."""
        with pytest.raises(UnsupportedByEngineError, match=r"'s1': on a cluster it needs an image"):
            run_on(chain(tmp_path), "kubeflow", host="http://127.0.0.1:9")
        assert not (tmp_path / "runs").exists()


def _tasks(document: Any) -> list[Any]:
    """Every task that runs something, of the pipeline and of its loops and branches."""
    dags = [document["root"], *document["components"].values()]
    tasks = [task for dag in dags for task in dag.get("dag", {}).get("tasks", {}).values()]
    plain = {key for key, item in document["components"].items() if "executorLabel" in item}
    return [task for task in tasks if task["componentRef"]["name"] in plain]


def _parse(compiled: Path) -> None:
    code = (
        "import sys; from kfp import components; components.load_component_from_file(sys.argv[1])"
    )
    python = engine_python(ENGINES["kubeflow"], os.environ)
    subprocess.run([python, "-W", "ignore", "-c", code, compiled], check=True, capture_output=True)


def _check_artifacts(pipeline: Any) -> None:
    """Data, models and metrics are those of kfp, made and read; the image is one version."""
    executors = pipeline["deploymentSpec"]["executors"].values()
    images = {item["container"]["image"] for item in executors}
    assert [bool(re.fullmatch(r"python:3\.\d+\.\d+-slim", image)) for image in images] == [True]

    def titles(part: str, stage: str) -> dict[str, str]:
        artifacts = pipeline["components"][f"comp-{stage}"][part]["artifacts"]
        return {name: item["artifactType"]["schemaTitle"] for name, item in artifacts.items()}

    assert titles("outputDefinitions", "train") == {
        "model_file_artifact": "system.Model",
        "metrics_artifact": "system.Metrics",
    }
    assert titles("outputDefinitions", "preprocess") == {"clean_artifact": "system.Dataset"}
    assert titles("outputDefinitions", "finish")["summary_page_artifact"] == "system.Artifact"
    reads = pipeline["root"]["dag"]["tasks"]["evaluate"]["inputs"]["artifacts"]
    made = reads["read_tuned_metrics"]["taskOutputArtifact"]
    assert made == {"outputArtifactKey": "metrics_artifact", "producerTask": "tune"}


def _check_placement(pipeline: Any, platform: Any) -> None:
    """Resources, image, retry, exit handler and node selector stand where the cluster looks."""
    executors = pipeline["deploymentSpec"]["executors"]
    fit = executors["exec-fit"]["container"]
    assert fit["image"] == "registry/mlkit:1"
    assert executors["exec-aside"]["container"]["image"] == "registry/other:2"
    wanted = fit["resources"]
    assert (wanted["resourceCpuLimit"], wanted["resourceMemoryLimit"]) == ("500m", "4Gi")
    assert wanted["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert wanted["accelerator"]["resourceCount"] == "1"
    tasks = {task["taskInfo"]["name"]: task for task in _tasks(pipeline)}
    assert tasks["fit"]["retryPolicy"] == {
        "maxRetryCount": 9,
        "backoffDuration": "60s",
        "backoffFactor": 3.0,
        "backoffMaxDuration": "7200s",
    }
    assert tasks["tell-people"]["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    kubernetes = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-fit"]
    assert kubernetes["nodeSelector"]["labels"] == {"disk": "ssd"}
