"""The rows of runs, stages and attempts in the database, and the records that they stand for."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlkit.core.record import AttemptRecord, RunRecord, StageRecord

__all__ = ["row_of_attempt", "row_of_run", "row_of_stage", "run_of_row", "stage_of_row"]

_RUN_COLUMNS = ("run_id", "pipeline", "status", "started", "ended")
_STAGE_COLUMNS = ("stage", "status", "reason", "started", "ended")
"""What a record's document and its row both have; it stands in the row only."""


def row_of_run(record: RunRecord, turn: int | None) -> dict[str, Any]:
    """The row of a run; its turn says where it stands in the order in which runs began."""
    document = {**record.to_full_json(), "turn": turn}
    row = {name: document.pop(name) for name in _RUN_COLUMNS}
    del document["stages"]
    return {**row, "document": json.dumps(document)}


def run_of_row(row: sqlite3.Row, stages: Mapping[str, StageRecord]) -> RunRecord:
    """Undo `row_of_run`; the stages have rows of their own."""
    document = {**json.loads(row["document"]), **{n: row[n] for n in _RUN_COLUMNS}, "stages": {}}
    return replace(RunRecord.from_json(document), stages=stages)


def row_of_stage(run_id: str, stage: StageRecord, place: int) -> dict[str, Any]:
    """The row of a stage or instance; its attempts have rows of their own."""
    document = stage.to_json()
    row = {name: document.pop(name) for name in _STAGE_COLUMNS}
    del document["history"]
    return {
        **row,
        "run_id": run_id,
        "id": stage.id,
        "place": place,
        "result": stage.result,
        "document": json.dumps(document),
    }


def stage_of_row(row: sqlite3.Row, attempts: list[dict[str, Any]]) -> StageRecord:
    """Undo `row_of_stage`, with the documents of its attempts."""
    columns = {name: row[name] for name in _STAGE_COLUMNS}
    document = {**json.loads(row["document"]), **columns, "history": attempts}
    return StageRecord.from_json(row["id"], document, result=row["result"])


def row_of_attempt(run_id: str, instance_id: str, attempt: AttemptRecord) -> dict[str, Any]:
    """The row of one attempt at a stage or instance."""
    return {
        "run_id": run_id,
        "stage": instance_id,
        "number": attempt.number,
        "status": attempt.status.value,
        "started": attempt.started,
        "ended": attempt.ended,
        "error_type": None if attempt.error is None else attempt.error.type,
        "document": json.dumps(attempt.to_json()),
    }
