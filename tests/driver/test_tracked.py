"""Runs with `--track`: what MLflow knows of them afterwards, and what they never depend on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from typer.testing import CliRunner

import mlkit
from mlkit import RunRecord
from mlkit.api import Layers, Services
from mlkit.cli.main import app
from mlkit.errors import UsageError
from mlkit.observe import tracker
from mlkit.store.tracking import logged
from mlkit.testing import FakeRunner, Sketch, run_fake, write_pipeline

TRAIN = """
import json, pathlib, mlflow, mlkit
with mlflow.start_run():
    mlflow.log_param("depth", depth)
    mlflow.log_metric("own", 0.5)
with mlflow.start_run():
    mlflow.log_metric("second", 1.5)
for step in (0, 10, 20):
    mlkit.log_metric("loss", 1 / (step + 1), step=step)
pathlib.Path(metrics).write_text(json.dumps({"auc": 0.75}))
pathlib.Path(parts, "x.txt").write_text("x")
"""
EACH = """
import mlflow
mlflow.log_metric("mine", len(kind))
open(out, "w").write(kind)
"""
CHOOSES = """
import mlflow
mlflow.set_experiment("mine")
with mlflow.start_run():
    mlflow.log_metric("kept", 1)
open(out, "w").write("x")
"""
SECRET = "sesame-open-the-door"
TRAINED = {
    "parameters": {"depth": 5},
    "outputs": {"metrics": "metrics.json", "parts": "parts/"},
}


def _project(folder: Path, train: str = TRAIN) -> Path:
    return write_pipeline(
        folder,
        Sketch(
            name="train",
            body=train,
            declares="import mlkit\ndepth = 2\ntoken: mlkit.Secret = ''",
            file="",
            keys=TRAINED,
        ),
        Sketch(
            name="each", body=EACH, declares="kind = 'z'", keys={"foreach": {"kind": ["a", "b"]}}
        ),
        Sketch(name="chooses", body=CHOOSES),
        parameters={"depth": 3, "token": "${DOOR_TOKEN}"},
    )


class Told:
    """What an MLflow store knows of one run of mlkit."""

    def __init__(self, address: str, run_id: str) -> None:
        self.client = MlflowClient(tracking_uri=address)
        experiments = [e.experiment_id for e in self.client.search_experiments()]
        found = self.client.search_runs(experiments, f"tags.`mlkit.run_id` = '{run_id}'")
        self.all = list(found)
        own = [run for run in self.all if "mlflow.parentRunId" not in run.data.tags]
        assert len(own) == 1
        self.run: Run = own[0]

    def child(self, name: str) -> Run:
        """The MLflow run of an instance; there is one."""
        (found,) = (run for run in self.all if run.info.run_name == name)
        return found

    def files(self, run: Run, below: str | None = None) -> set[str]:
        """Every file that was sent."""
        found: set[str] = set()
        for item in self.client.list_artifacts(run.info.run_id, below):
            found |= self.files(run, item.path) if item.is_dir else {item.path}
        return found

    def curve(self, run: Run, name: str) -> list[tuple[int, float]]:
        """The points of a metric, as they were sent."""
        history = self.client.get_metric_history(run.info.run_id, name)
        return sorted((point.step, point.value) for point in history)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRecord, str, Path]:
    """A run of notebooks that log with MLflow, in a repository, told to a file."""
    folder = tmp_path_factory.mktemp("tracked")
    file = _project(folder)
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    address = f"sqlite:///{folder}/track.db"
    record = _run(file, address, name="first", note=f"a note, {SECRET}")
    assert record.ok, [stage.error for stage in record.stages.values()]
    return record, address, folder


def _run(file: Path, address: str, **words: Any) -> RunRecord:
    environ = {"DOOR_TOKEN": SECRET}
    return mlkit.run(
        file,
        track=f"mlflow:{address}",
        layers=Layers(environ={**os.environ, **environ}),
        **words,
    )


@pytest.mark.kernel
class TestWhatMlflowKnows:
    """After one run, and after a second one that reuses everything."""

    def test_the_run_has_what_the_record_has(self, done: tuple[RunRecord, str, Path]) -> None:
        """Parameters, metrics, the curve, artifacts, report, state, source and note."""
        record, address, folder = done
        told = Told(address, record.run_id)
        run = told.run
        assert run.info.status == "FINISHED"
        assert run.info.run_name == "first"
        assert run.data.params == {"depth": "5", "token": "***", "train.depth": "5"}
        assert run.data.metrics == {"own": 0.5, "train.auc": 0.75, "train.loss": 1 / 21}
        assert told.curve(run, "train.loss") == [(0, 1.0), (10, 1 / 11), (20, 1 / 21)]
        files = {"chooses/chooses.txt", "report.html", "train/metrics.json", "train/parts/x.txt"}
        assert told.files(run) == files
        commit = subprocess.check_output(["git", "-C", str(folder), "rev-parse", "HEAD"], text=True)
        assert run.data.tags["mlflow.source.git.commit"] == commit.strip()
        assert run.data.tags["mlflow.note.content"] == "a note, ***"
        assert run.data.tags["mlkit.labels"] == "first"
        assert record.warnings == ()

    def test_each_instance_is_a_run_below_it(self, done: tuple[RunRecord, str, Path]) -> None:
        """With its own parameters and artifacts, and what its notebook logged itself."""
        record, address, _ = done
        told = Told(address, record.run_id)
        for kind in ("a", "b"):
            child = told.child(f"each[{kind}]")
            assert child.data.tags["mlflow.parentRunId"] == told.run.info.run_id
            assert child.data.tags["mlkit.status"] == "succeeded"
            assert child.info.status == "FINISHED"
            assert child.data.params == {"kind": kind}
            assert child.data.metrics == {"mine": 1.0}
            assert told.files(child) == {"each.txt"}

    def test_a_second_run_of_a_notebook_is_below_it_too(
        self, done: tuple[RunRecord, str, Path]
    ) -> None:
        """MLflow obeys MLFLOW_RUN_ID once in a process."""
        record, address, _ = done
        told = Told(address, record.run_id)
        (second,) = (run for run in told.all if "second" in run.data.metrics)
        assert second.data.tags["mlflow.parentRunId"] == told.run.info.run_id

    def test_a_notebook_that_chooses_its_experiment_keeps_it(
        self, done: tuple[RunRecord, str, Path]
    ) -> None:
        """MLflow would refuse to go on with a run of another one; it logs as it does untracked."""
        record, _, folder = done
        client = MlflowClient(tracking_uri=f"sqlite:///{folder}/runs/mlflow.db")
        experiment = client.get_experiment_by_name("mine")
        assert experiment is not None
        (run,) = client.search_runs([experiment.experiment_id])
        assert run.data.metrics == {"kept": 1.0}
        assert run.data.tags["mlkit.run_id"] == record.run_id

    def test_secrets_are_not_told(self, done: tuple[RunRecord, str, Path]) -> None:
        """Nowhere in the store or in what was sent."""
        folder = done[2]
        for file in [folder / "track.db", *(folder / "mlartifacts").rglob("*")]:
            assert file.is_dir() or SECRET.encode() not in file.read_bytes(), file

    def test_a_reuse_tells_its_metrics(self, done: tuple[RunRecord, str, Path]) -> None:
        """To be tracked is no part of what a stage is; the store's file is none of what it read."""
        _, address, folder = done
        again = _run(folder / "pipeline.yaml", address)
        assert {stage.status for stage in again.stages.values()} == {"cached"}
        told = Told(address, again.run_id)
        assert told.run.data.metrics == {"train.auc": 0.75, "train.loss": 1 / 21}
        assert told.run.data.params == {"depth": "3", "token": "***", "train.depth": "5"}
        assert told.child("each[b]").data.tags["mlkit.status"] == "cached"
        environ = {**os.environ, "DOOR_TOKEN": SECRET}
        plain = mlkit.plan(folder / "pipeline.yaml", layers=Layers(environ=environ))
        assert {decision.action for decision in plain.values()} == {"reuse"}


def test_a_resumed_run_goes_on_in_the_same_mlflow_run(tmp_path: Path) -> None:
    """Nothing is told twice; the state is that of its end."""
    folder = tmp_path / "project"
    measures = "open(metrics, 'w').write('{\"auc\": 0.5}')"
    file = write_pipeline(
        folder,
        Sketch(name="a", body=measures, file="", keys={"outputs": {"metrics": "metrics.json"}}),
        Sketch(name="b", body="raise ValueError('not yet')"),
    )
    address = f"sqlite:///{tmp_path}/track.db"
    record = run_fake(file, runner=FakeRunner(), track=f"mlflow:{address}")
    told = Told(address, record.run_id)
    assert told.run.info.status == "FAILED"
    document = json.loads((folder / "b.ipynb").read_text())
    document["cells"][-1]["source"] = "open(out, 'w').write('b')"
    (folder / "b.ipynb").write_text(json.dumps(document))
    services = Services(runner=FakeRunner())
    again = mlkit.resume(record.run_id, file, services=services)
    assert again.ok
    assert again.warnings == ()
    then = Told(address, record.run_id)
    assert then.run.info.run_id == told.run.info.run_id
    assert then.run.info.status == "FINISHED"
    assert then.curve(then.run, "a.auc") == [(0, 0.5)]


def test_a_server_that_is_away_costs_a_warning(tmp_path: Path) -> None:
    """And the run's record has it."""
    file = write_pipeline(tmp_path, Sketch(name="a"))
    record = run_fake(file, runner=FakeRunner(), track="mlflow:http://127.0.0.1:9")
    assert record.ok
    (warning,) = record.warnings
    assert "127.0.0.1:9" in warning
    assert "refused; nothing more is told to it" in warning
    assert json.loads((tmp_path / "runs/latest/run.json").read_text())["warnings"] == [warning]


@pytest.mark.kernel
@pytest.mark.long
def test_a_notebook_logs_as_ever_where_the_server_is_away(tmp_path: Path) -> None:
    """Into the runs folder, and the stage is reused by a run that is not tracked."""
    file = write_pipeline(tmp_path, Sketch(name="a", body=EACH, declares="kind = 'z'"))
    record = mlkit.run(file, track="mlflow:http://127.0.0.1:9")
    assert record.ok, record.stages["a"].error
    assert [item.metrics for item in logged(record)] == [(("mine", 1.0),)]
    assert len(record.warnings) == 1
    assert mlkit.run(file).stages["a"].status == "cached"


@pytest.mark.slow
def test_a_server_is_told_over_the_network(tmp_path: Path, unused_port: int) -> None:
    """MLflow's own server, which keeps the artifacts as well."""
    address = f"http://127.0.0.1:{unused_port}"
    words = ["--port", str(unused_port), "--backend-store-uri", f"sqlite:///{tmp_path}/served.db"]
    words += ["--artifacts-destination", str(tmp_path / "served"), "--workers", "1"]
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(f"{address}/health", server)
        file = write_pipeline(tmp_path / "project", Sketch(name="a"))
        record = run_fake(file, runner=FakeRunner(), track=f"mlflow:{address}")
        assert record.warnings == ()
        told = Told(address, record.run_id)
        assert told.run.info.status == "FINISHED"
        assert told.files(told.run) == {"a/a.txt", "report.html"}
        page = told.client.download_artifacts(told.run.info.run_id, "report.html", str(tmp_path))
        assert record.run_id in Path(page).read_text(encoding="utf-8")
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not begin"
            time.sleep(0.5)


@pytest.fixture
def unused_port() -> int:
    """A port that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_large_output_stays_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics are told all the same; without an address the runs folder has the store."""
    monkeypatch.setattr(tracker, "LARGEST_BYTES", 3)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    file = write_pipeline(tmp_path, Sketch(name="a", body="open(out, 'w').write('four')"))
    record = run_fake(file, runner=FakeRunner(), track="mlflow")
    assert record.ok
    (warning,) = record.warnings
    assert "a.out (" in warning
    told = Told(f"sqlite:///{tmp_path}/runs/mlflow.db", record.run_id)
    assert told.files(told.run) == {"report.html"}


@pytest.mark.parametrize("words", [["--track", "wandb"], ["--track", "mlflow:"]])
def test_what_is_no_server_is_refused_before_anything_runs(
    tmp_path: Path, words: list[str]
) -> None:
    """With the forms that there are."""
    write_pipeline(tmp_path, Sketch(name="a"))
    result = CliRunner().invoke(app, ["run", str(tmp_path), *words])
    assert isinstance(result.exception, UsageError)  # the command's exit code is then 2
    assert "mlflow:http://HOST:PORT" in str(result.exception.remedy)
    assert not (tmp_path / "runs").exists()


def test_a_run_of_many_processes_is_refused(tmp_path: Path) -> None:
    """Each of them would begin it anew."""
    file = write_pipeline(tmp_path, Sketch(name="a"))
    with pytest.raises(UsageError, match="--run-id"):
        run_fake(file, runner=FakeRunner(), track="mlflow", only="a", run_id="r1")
