"""What the notebooks of a run have logged with MLflow, read from its store in the runs folder.

MLflow itself takes seconds to import; its tables are read as they are, which have kept these names
since its first version.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlkit.core.record import RunRecord
from mlkit.frozen import dataclass
from mlkit.store.connection import open_to_read

__all__ = ["RUN_TAG", "STAGE_TAG", "TRACKING_FILE", "Logged", "logged"]

TRACKING_FILE = "mlflow.db"
RUN_TAG = "mlkit.run_id"
STAGE_TAG = "mlkit.stage"


@dataclass(frozen=True, kw_only=True)
class Logged:
    """One MLflow run that a stage has made.

    Parameters
    ----------
    stage : str
        The stage or instance.
    name : str
        The name that MLflow gave it.
    run_uuid : str
        MLflow's id of it.
    metrics : tuple of (str, float)
        The last value of each metric, by name.
    params : tuple of (str, str)
        The parameters that it logged, by name.
    """

    stage: str
    name: str
    run_uuid: str
    metrics: tuple[tuple[str, float], ...]
    params: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """The run as JSON."""
        return {
            "stage": self.stage,
            "name": self.name,
            "run_uuid": self.run_uuid,
            "metrics": dict(self.metrics),
            "params": dict(self.params),
        }


def logged(record: RunRecord) -> list[Logged]:
    """Read what the stages of a run have logged; of a reused one, what it logged when it ran."""
    file = Path(record.runs_dir) / TRACKING_FILE
    if not file.is_file():
        return []
    made_by: dict[str, list[str]] = {}
    for stage in record.stages.values():
        made_by.setdefault(stage.source_run or record.run_id, []).append(stage.id)
    try:
        with contextlib.closing(open_to_read(file)) as connection:
            return [
                item
                for run_id, stages in made_by.items()
                for item in _of_run(connection, run_id, stages)
            ]
    except sqlite3.Error:
        return []  # a store of another program, or one that is being made


def _of_run(connection: sqlite3.Connection, run_id: str, stages: Iterable[str]) -> list[Logged]:
    rows = connection.execute(
        "SELECT r.run_uuid, r.name, stage.value FROM runs r "
        "JOIN tags run ON run.run_uuid = r.run_uuid AND run.key = ? AND run.value = ? "
        "JOIN tags stage ON stage.run_uuid = r.run_uuid AND stage.key = ? "
        "WHERE r.lifecycle_stage = 'active' ORDER BY r.start_time",
        (RUN_TAG, run_id, STAGE_TAG),
    ).fetchall()
    return [
        Logged(
            stage=stage,
            name=name or uuid,
            run_uuid=uuid,
            metrics=tuple(_pairs(connection, "latest_metrics", uuid)),
            params=tuple(_pairs(connection, "params", uuid)),
        )
        for uuid, name, stage in rows
        if stage in stages
    ]


def _pairs(connection: sqlite3.Connection, table: str, uuid: str) -> list[tuple[str, Any]]:
    return connection.execute(
        f"SELECT key, value FROM {table} WHERE run_uuid = ? ORDER BY key", (uuid,)
    ).fetchall()
