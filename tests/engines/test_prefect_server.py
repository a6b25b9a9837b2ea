"""A Prefect server of its own: runs are reported to it, deployments and schedules live in it."""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit import list_runs
from mlkit.api.engine_runs import run_on
from mlkit.api.exports import export, write_export
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.engines.environments import engine_python
from mlkit.engines.local_server import running_group
from mlkit.engines.prefect.launch import prefect_settings
from mlkit.engines.prefect.server import server
from mlkit.engines.registry import ENGINES
from mlkit.load.parameters import Layers
from mlkit.testing import Sketch, write_pipeline
from tests.engines.prefect_environment import asked, by_instance, in_prefect

pytestmark = [pytest.mark.engine, pytest.mark.kernel, pytest.mark.timeout(900)]


def _pipeline(folder: Path) -> Path:
    """A branch not taken, a failure and what is behind it, a map, and a logical date."""
    dated = "from pathlib import Path\nPath(out).write_text(logical_date)"
    decide = "from pathlib import Path\nPath(out).write_text('\"yes\"')"
    return write_pipeline(
        folder,
        Sketch(name="decide", body=decide, file="decision.json"),
        Sketch(name="no", keys={"when": {"decide.out": "no"}}),
        Sketch(name="bad", body="raise ValueError('wrong')", keys={"critical": False}),
        Sketch(name="behind", upstream=("bad",)),
        Sketch(name="each", declares="n: int = 1", keys={"foreach": {"n": [1, 2]}}),
        Sketch(name="dated", declares='logical_date: str = "none"', body=dated),
        parameters={"n_rows": 3},
        schedule="0 2 * * *",
        name="served",
    )


def test_a_run_is_reported_to_a_server(tmp_path: Path) -> None:
    """Its API says how the flow and each task ended; a failed stage has failed there, too."""
    with server(tmp_path / "home") as prefect:
        api = prefect.wait().api
        services = Services()
        services = replace(services, environ={**services.environ, "PREFECT_API_URL": api})
        record = run_on(
            _pipeline(tmp_path / "pipeline"),
            "prefect",
            layers=Layers(),
            runs_dir=tmp_path / "runs",
            options=RunOptions(workers=2),
            services=services,
        )
        assert record.engine is not None
        told = asked(record.engine["run_id"], home=tmp_path / "asking", api=api)
    assert record.ok, record.warnings
    assert told["flow"] == ["COMPLETED", "Completed"]
    assert told["parameters"] == {"n_rows": 3, "run_id": record.run_id, "logical_date": None}
    assert told["tags"] == ["served"]
    assert by_instance(told["tasks"]) == {
        "decide": "success",
        "no": "skipped",
        "bad": "failed",
        "behind": "upstream_failed",
        "each[1]": "success",
        "each[2]": "success",
        "dated": "success",
    }


def _prefect(folder: Path, api: str, *words: str) -> str:
    home = folder / "cli-home"
    return in_prefect("-m", "prefect", *words, folder=folder, api=api, home=home)


def _api(api: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api + path, data=data)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.slow
def test_a_deployment_runs_on_a_worker_by_its_schedule(tmp_path: Path) -> None:
    """As prefect.yaml says; mlkit's run has an id of its own and the start of the interval."""
    flows = tmp_path / "flows"
    made = export(_pipeline(tmp_path / "p"), "prefect", layers=Layers(), runs_dir=tmp_path / "runs")
    write_export(made, flows)
    with server(tmp_path / "home") as prefect:
        api = prefect.wait().api
        _prefect(flows, api, "work-pool", "create", "mlkit", "--type", "process")
        _prefect(flows, api, "--no-prompt", "deploy", "--all")
        deployment = _api(api, "/deployments/name/served/served")
        assert [item["schedule"]["cron"] for item in deployment["schedules"]] == ["0 2 * * *"]
        body = {
            "state": {
                "type": "SCHEDULED",
                "state_details": {"scheduled_time": "2013-01-03T02:00:00+00:00"},
            },
            "tags": ["auto-scheduled"],
        }
        made_run = _api(api, f"/deployments/{deployment['id']}/create_flow_run", body)
        _prefect(flows, api, "worker", "start", "--pool", "mlkit", "--run-once")
        ended = _api(api, f"/flow_runs/{made_run['id']}")
    assert ended["state"]["type"] == "COMPLETED", ended["state"]
    (run,) = list_runs(tmp_path / "runs")
    assert run.run_id == f"20130103-020000-{made_run['id'][-12:]}"
    assert run.engine == {"name": "prefect", "run_id": made_run["id"]}
    text = Path(run.stages["dated"].outputs["out"]).read_text()
    assert text == "2013-01-02T02:00:00+00:00"


WORKERS = ("one", "two")
MEETS = """\
import os, time
from pathlib import Path
Path(place, str(os.getpid())).touch()
limit = time.monotonic() + 240
while len(list(Path(place).iterdir())) < there:
    assert time.monotonic() < limit, 'nobody else has come'
    time.sleep(0.05)
time.sleep(1.0)
Path(out).write_text('met')"""


@contextlib.contextmanager
def _worker(name: str, flows: Path, api: str) -> Iterator[None]:
    """A worker that takes one flow run at a time, and says what it takes in NAME.log."""
    python = str(engine_python(ENGINES["prefect"], os.environ))
    words = ["worker", "start", "--pool", "mlkit", "--name", name, "--limit", "1"]
    own = {**prefect_settings(flows / name), "PREFECT_API_URL": api}
    environ = {**os.environ, **own, "PREFECT_WORKER_QUERY_SECONDS": "1"}
    with running_group([python, "-m", "prefect", *words], environ, flows / f"{name}.log"):
        yield


def _two_runs(api: str, deployment: str, **parameters: Any) -> dict[str, Any]:
    """Start a deployment twice, and wait for both."""
    body = {"state": {"type": "SCHEDULED"}, "parameters": parameters}
    path = f"/deployments/{deployment}/create_flow_run"
    asked_for = [_api(api, path, body)["id"] for _ in range(2)]
    limit = time.monotonic() + 400
    while True:
        told = {item: _api(api, f"/flow_runs/{item}") for item in asked_for}
        if all(run["state_type"] in ("COMPLETED", "FAILED", "CRASHED") for run in told.values()):
            return told
        assert time.monotonic() < limit, {item: run["state"] for item, run in told.items()}
        time.sleep(0.5)


def _deployed(folder: Path, api: str, name: str, **more: Any) -> str:
    """Deploy a pipeline of one stage, which says where it is and may wait for others."""
    sketch = Sketch(name="meet", declares="place: str = ''\nthere: int = 2", body=MEETS)
    place = folder / f"place-{name}"
    place.mkdir()
    file = write_pipeline(
        folder / f"p-{name}",
        replace(sketch, keys={"cache": False}),
        parameters={"place": str(place), "there": 2},
        name=name,
        **more,
    )
    flows = folder / "flows" / name
    write_export(export(file, "prefect", layers=Layers(), runs_dir=folder / "runs"), flows)
    _prefect(flows, api, "--no-prompt", "deploy", "--all")
    deployed: str = _api(api, f"/deployments/name/{name}/{name}")["id"]
    return deployed


@pytest.mark.slow
def test_two_workers_share_a_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs meet where they may overlap, and never two stages under a limit by the name.

    Where they may not, a run that comes too early waits in the state that Prefect has for it.
    """
    # the server has a task that found no place wait for so long; usually half a minute
    monkeypatch.setenv("PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS", "1")
    flows = tmp_path / "flows"
    flows.mkdir()
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(server(tmp_path / "home")).wait().api
        _prefect(flows, api, "work-pool", "create", "mlkit", "--type", "process")
        shared = _deployed(tmp_path, api, "shared", overlap=True)
        single = _deployed(tmp_path, api, "single")
        for name in WORKERS:
            stack.enter_context(_worker(name, flows, api))
        met = _two_runs(api, shared)
        assert [run["state_type"] for run in met.values()] == ["COMPLETED"] * 2, met
        names = {f"Flow run '{run['name']}' submitted" for run in met.values()}
        took = [{n for n in names if n in (flows / f"{w}.log").read_text()} for w in WORKERS]
        assert [len(items) for items in took] == [1, 1], took
        queued = _two_runs(api, single, there=1)
        assert [run["state_type"] for run in queued.values()] == ["COMPLETED"] * 2, queued
        waited = [_states(api, item).count("AwaitingConcurrencySlot") for item in queued]
        assert sorted(map(bool, waited)) == [False, True]
        _prefect(flows, api, "concurrency-limit", "create", "shared", "1")
        alone = _two_runs(api, shared, there=1)
        assert [run["state_type"] for run in alone.values()] == ["COMPLETED"] * 2, alone
    runs = {run.engine["run_id"]: run for run in list_runs(tmp_path / "runs") if run.engine}
    assert set(runs) == {*met, *queued, *alone}
    spans = {item: runs[item].stages["meet"].history[0] for item in runs}
    for items, meet in ((met, True), (queued, False), (alone, False)):
        first, second = sorted((spans[item] for item in items), key=lambda span: span.started)
        assert (second.started < first.ended) is meet


def _states(api: str, flow_run: str) -> list[str]:
    """The names of all states that a flow run has had."""
    return [item["name"] for item in _api(api, f"/flow_run_states/?flow_run_id={flow_run}")]


@pytest.mark.slow
def test_a_server_takes_the_job_variables(tmp_path: Path) -> None:
    """Into a work pool made from the template; they are checked against it."""
    resources = {"cpu": "2", "memory": "4Gi", "gpu": 1, "node_selector": {"disk": "ssd"}}
    keys = {"resources": resources, "image": "registry/ml:1"}
    file = write_pipeline(tmp_path / "p", Sketch(name="s", keys=keys), name="placed")
    write_export(export(file, "prefect", layers=Layers()), tmp_path / "flows")
    with server(tmp_path / "home") as prefect:
        api = prefect.wait().api
        template = json.loads((tmp_path / "flows" / "kubernetes-job-template.json").read_text())
        pool = {"name": "mlkit", "type": "kubernetes", "base_job_template": template}
        _api(api, "/work_pools/", pool)
        _prefect(tmp_path / "flows", api, "--no-prompt", "deploy", "--all")
        deployment = _api(api, "/deployments/name/placed/placed")
    assert deployment["job_variables"] == {**resources, "image": "registry/ml:1"}
