"""Airflow keeps the contract of engines."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from mlkit.core.record import RunRecord
from tests.engines.flights import FlightsContract, FlightsHere

pytestmark = [pytest.mark.engine, pytest.mark.kernel, pytest.mark.timeout(1800)]


class TestAirflow(FlightsContract):
    """Every pipeline of the contract, and flights, by `airflow dags test`."""

    engine = "airflow"

    def own_states(self, record: RunRecord) -> Mapping[str, str]:
        """Ask the database that Airflow itself wrote."""
        home = Path(record.runs_dir) / record.run_id / "engine" / "airflow"
        names = {item.engine_task: key for key, item in record.stages.items()}
        with closing(sqlite3.connect(home / "airflow.db")) as database:
            rows = database.execute("SELECT task_id, map_index, state FROM task_instance")
            tasks = {t if index < 0 else f"{t}[{index}]": state for t, index, state in rows}
        return {names.get(task) or task: state for task, state in tasks.items()}

    def test_flights(self, tmp_path: Path, champion: Path, flights_here: FlightsHere) -> None:
        """As on the other engines, and not only where there is time for it."""
        super().test_flights(tmp_path, champion, flights_here)
