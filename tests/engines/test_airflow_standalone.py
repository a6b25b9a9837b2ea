"""A whole Airflow: its scheduler finds the file, its executor runs the tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlkit import list_runs
from mlkit.api.exports import export, write_export
from mlkit.engines.airflow.standalone import standalone
from mlkit.load.parameters import Layers
from mlkit.testing import Sketch, branching, write_pipeline
from tests.engines.airflow_client import Client
from tests.mailbox import Mailbox

pytestmark = [
    pytest.mark.engine,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this module's pipelines, runs and Airflow."""
    return tmp_path_factory.mktemp("standalone")


@pytest.fixture(scope="module")
def client(place: Path, mailbox: Mailbox) -> Iterator[Client]:
    """Asks a whole Airflow, which is started once, with all that the tests start."""
    failing = Sketch(
        name="bad",
        body="raise ConnectionError('the disk is full')",
        keys={
            "notify": {"on_failure": [mailbox.address]},
            "retry": {"max_retries": 1, "delay": "1s"},
        },
    )
    for file in (
        branching(place / "pipeline", schedule="0 2 * * *"),
        write_pipeline(place / "mailed", failing, name="mailed"),
    ):
        made = export(file, "airflow", layers=Layers(), runs_dir=place / "runs")
        write_export(made, place / "home" / "dags")
    with standalone(place / "home") as airflow:
        client = Client(airflow.url)
        client.log_in()
        yield client


def test_a_run_that_airflow_starts_itself(client: Client, place: Path) -> None:
    """It has an id made from Airflow's, which sorts by time, and the whole record."""
    begun = client.start("sketched")
    assert client.end(begun) == "success", (place / "home" / "standalone.log").read_text()[-3000:]
    states = {name: item["state"] for name, item in client.tasks(begun).items()}
    started = begun.rpartition("/")[2]
    assert states == {
        "decide": "success",
        "decide.out": "success",
        "yes": "success",
        "no": "skipped",
        "finish": "success",
    }
    run = next(r for r in list_runs(place / "runs") if r.run_id.endswith(started.replace(":", "-")))
    assert run.ok
    assert run.engine == {"name": "airflow", "run_id": started}
    assert run.stages["yes"].engine_task == "yes"
    assert run.stages["no"].status == "skipped"


def test_a_failure_is_mailed_once(client: Client, mailbox: Mailbox) -> None:
    """By the callback of the task, when the last of its tries has failed."""
    begun = client.start("mailed", run_id="mailed-run")
    assert client.end(begun) == "failed"
    assert client.tasks(begun)["bad"]["try_number"] == 2
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == ("team@example.org", "Stage 'bad' failed")
    part = mail.get_body()
    assert part is not None
    assert "mailed-run: ConnectionError: the disk is full" in part.get_content()
