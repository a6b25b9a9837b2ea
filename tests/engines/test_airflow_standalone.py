"""A whole Airflow: its scheduler finds the file, its executor runs the tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit import list_runs
from mlkit.api.exports import export, write_export
from mlkit.engines.airflow.standalone import standalone
from mlkit.load.parameters import Layers
from mlkit.testing import branching
from tests.engines.airflow_client import Client

pytestmark = [
    pytest.mark.engine,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]


def test_a_run_that_airflow_starts_itself(tmp_path: Path) -> None:
    """It has an id made from Airflow's, which sorts by time, and the whole record."""
    file = branching(tmp_path / "pipeline", schedule="0 2 * * *")
    made = export(file, "airflow", layers=Layers(), runs_dir=tmp_path / "runs")
    write_export(made, tmp_path / "home" / "dags")
    with standalone(tmp_path / "home") as airflow:
        client = Client(airflow.url)
        client.log_in()
        place = client.start("sketched")
        assert client.end(place) == "success", airflow.log.read_text()[-3000:]
        states = {name: item["state"] for name, item in client.tasks(place).items()}
    started = place.rpartition("/")[2]
    assert states == {
        "decide": "success",
        "decide.out": "success",
        "yes": "success",
        "no": "skipped",
        "finish": "success",
    }
    run = next(
        r for r in list_runs(tmp_path / "runs") if r.run_id.endswith(started.replace(":", "-"))
    )
    assert run.ok
    assert run.engine == {"name": "airflow", "run_id": started}
    assert run.stages["yes"].engine_task == "yes"
    assert run.stages["no"].status == "skipped"
