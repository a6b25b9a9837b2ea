"""A whole Airflow: its scheduler finds the file, its executor runs the tasks."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mlkit import list_runs
from mlkit.api.exports import export, write_export
from mlkit.engines.airflow.standalone import standalone
from mlkit.load.parameters import Layers
from mlkit.testing import branching

pytestmark = [
    pytest.mark.engine,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]


class Client:
    """Airflow's REST interface."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Send a request; None while it is refused."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def wait(self, path: str, body: Any = None, method: str | None = None, **fields: Any) -> Any:
        """Ask until the answer has some fields; the test's own time limit ends it."""
        while True:
            answer = self.ask(path, body, method)
            if answer is not None and all(answer.get(k) in v for k, v in fields.items()):
                return answer
            time.sleep(1)


def test_a_run_that_airflow_starts_itself(tmp_path: Path) -> None:
    """It has an id made from Airflow's, which sorts by time, and the whole record."""
    file = branching(tmp_path / "pipeline", schedule="0 2 * * *")
    made = export(file, "airflow", layers=Layers(), runs_dir=tmp_path / "runs")
    write_export(made, tmp_path / "home" / "dags")
    with standalone(tmp_path / "home") as airflow:
        client = Client(airflow.url)
        client.token = client.wait("/auth/token")["access_token"]
        dag = "/api/v2/dags/sketched"
        client.wait(dag, {"is_paused": False}, "PATCH")
        started = client.wait(f"{dag}/dagRuns", {"logical_date": None}, "POST")
        place = f"{dag}/dagRuns/{started['dag_run_id']}"
        ended = client.wait(place, state=("success", "failed"))
        assert ended["state"] == "success", airflow.log.read_text()[-3000:]
        states = {
            item["task_id"]: item["state"]
            for item in client.ask(f"{place}/taskInstances")["task_instances"]
        }
    assert states == {
        "decide": "success",
        "decide.out": "success",
        "yes": "success",
        "no": "skipped",
        "finish": "success",
    }
    run = next(r for r in list_runs(tmp_path / "runs") if r.run_id.endswith(_safe(started)))
    assert run.ok
    assert run.engine == {"name": "airflow", "run_id": started["dag_run_id"]}
    assert run.stages["yes"].engine_task == "yes"
    assert run.stages["no"].status == "skipped"


def _safe(started: Any) -> str:
    """The id as it stands in a folder's name."""
    text: str = started["dag_run_id"]
    return text.replace(":", "-")
