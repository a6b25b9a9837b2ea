"""Step Functions keeps the contract of engines, executed by LocalStack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.record import RunRecord
from tests.engines.flights import FlightsContract

pytestmark = [pytest.mark.engine, pytest.mark.kernel, pytest.mark.timeout(900)]


class TestStepFunctions(FlightsContract):
    """Every pipeline of the contract, and flights, on one server."""

    engine = "stepfunctions"

    @pytest.fixture(autouse=True)
    def _server(self, stepfunctions: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stepfunctions)

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
