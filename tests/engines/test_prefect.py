"""Prefect keeps the contract of engines, and shows a run in its own states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlkit.api.exports import export, write_export
from mlkit.core.record import RunRecord
from mlkit.load.parameters import Layers
from tests.engines.flights import FLIGHTS, FlightsContract
from tests.engines.prefect_environment import asked, by_instance, in_prefect

pytestmark = [pytest.mark.engine, pytest.mark.kernel, pytest.mark.timeout(900)]


class TestPrefect(FlightsContract):
    """Every pipeline of the contract, and flights, with the server that a flow starts itself."""

    engine = "prefect"

    def own_states(self, record: RunRecord) -> Mapping[str, str]:
        """Ask Prefect's API."""
        assert record.engine is not None
        home = Path(record.runs_dir) / record.run_id / "engine" / "prefect-home"
        return by_instance(asked(record.engine["run_id"], home=home)["tasks"])

    def test_prefect_itself_reads_the_flow(self, tmp_path: Path) -> None:
        """Its parameters are the pipeline's, with their types and defaults; it knows the tasks."""
        layers = Layers(environ={}, values={"rows": 2000})
        made = export(FLIGHTS, self.engine, layers=layers, runs_dir=tmp_path / "runs")
        write_export(made, tmp_path)
        code = (
            "import json, flights_flow as f; task = f.train; "
            "print(json.dumps([f.flights.parameters.model_dump(), f.flights.name, task.retries, "
            "task.retry_delay_seconds, task.retry_jitter_factor, sorted(task.tags)]))"
        )
        text = in_prefect("-c", code, folder=tmp_path, home=tmp_path / "home")
        schema, *rest = json.loads(text)
        found = {name: item.get("type") for name, item in schema["properties"].items()}
        defaults = {name: item["default"] for name, item in schema["properties"].items()}
        assert found == {
            "months": "array",
            "rows": "integer",
            "seed": "integer",
            "source": "string",
            "late_minutes": "integer",
            "run_id": None,
            "logical_date": None,
        }
        assert (defaults["rows"], defaults["months"]) == (2000, [1, 2, 3])
        assert rest == ["flights", 2, [1, 2], 0.5, ["flights"]]
