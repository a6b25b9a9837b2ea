"""Airflow on Celery workers: tasks in other processes, some of which are killed."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlkit import find_run, load_pipeline, run
from mlkit.api.exports import export, write_export
from mlkit.core.record import RunRecord
from mlkit.engines.airflow.celery import Cluster, celery_cluster
from mlkit.load.parameters import Layers
from mlkit.testing import Sketch, write_pipeline
from mlkit.testing.engine_pipelines import everything
from mlkit.testing.engines import digests, statuses
from tests.engines.airflow_client import Client
from tests.engines.flights import FLIGHTS, SMALL

pytestmark = [
    pytest.mark.engine,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(2400),
]

LONG = """import json, os, time
from pathlib import Path
def note(what):
    with open(marks, "a") as stream:
        stream.write(json.dumps([what, time.time(), os.environ["MLKIT_ATTEMPT"]]) + "\\n")
note("begin")
time.sleep(25)
note("end")
Path(out).write_text("done")"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this module's pipelines, runs and Airflow."""
    return tmp_path_factory.mktemp("celery")


def _exported(file: Path, place: Path, runs: str, **values: Any) -> None:
    """Export a pipeline without its schedule, which would begin a run of its own at once."""
    pipeline = replace(load_pipeline(file), schedule=None)
    layers = Layers(environ={}, values=values)
    made = export(pipeline, "airflow", layers=layers, runs_dir=place / runs)
    write_export(made, place / "home" / "dags")


@pytest.fixture(scope="module")
def airflow(place: Path, champion: Path) -> Iterator[Cluster]:
    """An Airflow with three workers, of which two will be killed."""
    file = everything(place / "everything")
    _exported(file, place, "runs", marker=str(place / "marker"))
    patient = Sketch(
        name="long",
        declares='marks: str = ""',
        body=LONG,
        keys={"retry": {"max_retries": 1, "delay": "1s"}, "cache": False},
    )
    write_pipeline(place / "long", patient, parameters={"marks": ""}, name="long")
    _exported(place / "long" / "pipeline.yaml", place, "runs", marks=str(place / "marks"))
    shutil.copytree(champion, place / "flights", symlinks=True)
    _exported(FLIGHTS, place, "flights", **SMALL)
    with celery_cluster(place / "home", workers=3) as cluster:
        yield cluster
    outside = (place / "home" / "postgresql").resolve().parent
    if outside.parent == Path("/var/tmp"):
        shutil.rmtree(outside)


@pytest.fixture(scope="module")
def client(airflow: Cluster) -> Client:
    """Asks it."""
    client = Client(airflow.url)
    client.log_in()
    return client


def test_everything_at_once_on_workers(client: Client, place: Path) -> None:
    """Same states and artifacts as here; a task that is cleared does its stage anew."""
    timer = threading.Timer(20.0, lambda: (place / "ready.txt").write_text("now", "utf-8"))
    timer.start()
    started = client.start("sketched", run_id="once")
    assert client.end(started) == "success"
    timer.join()
    there = find_run("once", place / "runs")
    given = {"marker": str(place / "marker")}
    here = run(
        place / "everything",
        layers=Layers(environ={}, values=given),
        runs_dir=place / "here",
    )
    assert there.ok
    assert (statuses(there), digests(there)) == (statuses(here), digests(here))
    assert there.stages["flaky"].attempts == 2
    body = {
        "dry_run": False,
        "dag_run_id": started.rpartition("/")[2],
        "task_ids": ["right"],
        "only_failed": False,
        "reset_dag_runs": True,
    }
    client.wait("/api/v2/dags/sketched/clearTaskInstances", body, "POST")
    assert client.end(started) == "success"
    again = find_run("once", place / "runs")
    assert again.stages["right"].attempts == there.stages["right"].attempts + 1
    assert again.stages["left"].attempts == there.stages["left"].attempts
    assert digests(again) == digests(here)


def test_a_killed_worker_is_replaced_by_another(
    airflow: Cluster, client: Client, place: Path
) -> None:
    """The second try succeeds on the other worker, and the first one is lost, and known."""
    started = client.start("long", run_id="killed")
    worker, _ = _at_work(airflow, place, attempt="1")
    _kill([*worker.children(recursive=True), worker])
    assert find_run("killed", place / "runs").stages["long"].history[0].status == "lost"
    assert client.end(started) == "success"
    record = find_run("killed", place / "runs")
    assert [a.status for a in record.stages["long"].history] == ["lost", "succeeded"]
    task = client.tasks(started)["long"]
    assert (task["state"], task["try_number"]) == ("success", 2)
    assert _notes(place, since=record.started) == ["begin 1", "begin 2", "end 2"]


def test_one_notebook_at_a_time(airflow: Cluster, client: Client, place: Path) -> None:
    """Where mlkit outlives its worker, the second try waits for it, and takes what it made."""
    started = client.start("long", run_id="orphaned")
    worker, mlkit = _at_work(airflow, place, attempt="1")
    own = {mlkit.pid, *(p.pid for p in mlkit.children(recursive=True))}
    _kill([p for p in (*worker.children(recursive=True), worker) if p.pid not in own])
    assert client.end(started) == "success"
    record = find_run("orphaned", place / "runs")
    assert [a.status for a in record.stages["long"].history] == ["succeeded"]
    assert client.tasks(started)["long"]["try_number"] == 2
    assert _notes(place, since=record.started) == ["begin 1", "end 1"]


def test_flights_on_workers(client: Client, place: Path, champion: Path) -> None:
    """The pipeline that everybody starts with, at 2,000 rows: same states, equal artifacts."""
    started = client.start("flights", run_id="flights")
    assert client.end(started) == "success"
    there = find_run("flights", place / "flights")
    shutil.copytree(champion, place / "flights-here", symlinks=True)
    layers = Layers(environ={}, values=SMALL)
    here: RunRecord = run(FLIGHTS, layers=layers, runs_dir=place / "flights-here")
    assert (statuses(there), digests(there)) == (statuses(here), digests(here))


def _at_work(airflow: Cluster, place: Path, attempt: str) -> tuple[psutil.Process, psutil.Process]:
    """Wait until the long stage runs; gives the worker that runs it, and its mlkit."""
    before = len(_lines(place))
    while len(_lines(place)) == before or _lines(place)[-1][2] != attempt:
        time.sleep(0.5)
    for process in airflow.workers.values():
        if process.poll() is not None:
            continue
        worker = psutil.Process(process.pid)
        for child in worker.children(recursive=True):
            if "--only" in child.cmdline():
                return worker, child
    raise AssertionError("no worker runs the stage")


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=30)


def _lines(place: Path) -> list[Any]:
    marks = place / "marks"
    return [json.loads(line) for line in marks.read_text().splitlines()] if marks.exists() else []


def _notes(place: Path, since: float) -> list[str]:
    return [f"{what} {attempt}" for what, at, attempt in _lines(place) if at >= since]
