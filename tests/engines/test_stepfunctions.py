"""Step Functions keeps the contract of engines, executed by LocalStack."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.api.exports import export, write_export
from mlkit.api.records import list_runs
from mlkit.core.record import RunRecord
from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from mlkit.testing import Sketch, write_pipeline
from tests.engines.flights import FlightsContract

pytestmark = [pytest.mark.engine, pytest.mark.kernel, pytest.mark.timeout(900)]


class TestStepFunctions(FlightsContract):
    """Every pipeline of the contract, and flights, on one server."""

    engine = "stepfunctions"

    @pytest.fixture(autouse=True)
    def _server(self, stepfunctions: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", stepfunctions)

    def own_states(self, record: RunRecord) -> Mapping[str, str]:
        """Read the history of the execution, which is Step Functions' own."""
        file = Path(record.runs_dir) / record.run_id / "engine" / "history.json"
        return states_of(json.loads(file.read_text("utf-8")))


def states_of(events: list[dict[str, Any]]) -> dict[str, str]:
    """How the stages of an execution ended, by instance; of several tries, the last."""
    asked: dict[int, str] = {}
    found = {}
    for event in sorted(events, key=lambda event: event["id"]):
        if "activityScheduledEventDetails" in event:
            message = json.loads(event["activityScheduledEventDetails"]["input"])
            value = message.get("value")
            name = message.get("stage", "") if value is None else f"{message['stage']}[{value}]"
            asked[event["id"]] = name if message["do"] == "run" else ""
            continue
        name = asked.get(event["previousEventId"], "")
        asked[event["id"]] = name
        if name and event["type"] == "ActivitySucceeded":
            output = json.loads(event["activitySucceededEventDetails"]["output"])
            found[name] = "skipped" if output["status"] == "skipped" else "success"
        elif name and event["type"] == "ActivityFailed":
            error = event["activityFailedEventDetails"]["error"]
            found[name] = "upstream_failed" if error == "mlkit.UpstreamFailed" else "failed"
    return found


ROLE = "arn:aws:iam::000000000000:role/scheduler"
DATED = "from pathlib import Path\nPath(out).write_text(logical_date)"


def _client(service: str, url: str) -> Any:
    """A plain client, which shares no code with what is tested."""
    return (
        importlib.import_module("botocore.session")
        .get_session()
        .create_client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )
    )


@pytest.mark.slow
def test_what_is_deployed_is_worked_for(tmp_path: Path, stepfunctions: str) -> None:
    """Twice deployed it is there once, with its schedule; a worker takes its tasks until Ctrl-C."""
    file = write_pipeline(
        tmp_path / "p",
        Sketch(name="dated", declares='logical_date: str = ""', body=DATED),
        Sketch(name="behind", upstream=("dated",)),
        schedule="30 2 * * 1",
        timezone="Europe/Berlin",
        name="deployed",
    )
    write_export(export(file, "stepfunctions", runs_dir=tmp_path / "runs"), tmp_path / "made")
    python = engine_python(ENGINES["stepfunctions"], os.environ)
    words = [python, tmp_path / "made" / "deployed_worker.py"]
    there = ("--url", stepfunctions)
    for _ in range(2):
        done = subprocess.run(
            [*words, "deploy", *there, "--scheduler-role", ROLE],
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
    arn, schedule = done.stdout.splitlines()
    assert schedule == "cron(30 2 ? * MON *) Europe/Berlin"
    (kept,) = _client("scheduler", stepfunctions).list_schedules()["Schedules"]
    kept = _client("scheduler", stepfunctions).get_schedule(Name=kept["Name"])
    assert (kept["Target"]["Arn"], kept["Target"]["RoleArn"]) == (arn, ROLE)
    assert kept["ScheduleExpressionTimezone"] == "Europe/Berlin"
    at = "2013-07-08T00:30:00Z"
    given = kept["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", at)
    machines = _client("stepfunctions", stepfunctions)
    with subprocess.Popen([*words, "work", *there], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline().startswith("takes the tasks of arn:aws:states:")
        run = machines.start_execution(stateMachineArn=arn, input=given)["executionArn"]
        while (told := machines.describe_execution(executionArn=run))["status"] == "RUNNING":
            assert worker.poll() is None
            time.sleep(0.5)
        worker.send_signal(signal.SIGINT)
        said = worker.stdout.read()
    assert (told["status"], worker.returncode) == ("SUCCEEDED", 130), said
    (record,) = list_runs(tmp_path / "runs")
    assert record.ok
    assert record.engine == {"name": "stepfunctions", "run_id": run}
    text = Path(record.stages["dated"].outputs["out"]).read_text()
    assert text == "2013-07-01T02:30:00+02:00"
