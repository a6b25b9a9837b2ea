"""The tables of the database, and records as their rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from mlkit.core.record import (
    FORMAT,
    ArtifactRecord,
    AttemptRecord,
    ErrorRecord,
    RunRecord,
    StageRecord,
)
from mlkit.core.record_reading import read_parameters
from mlkit.core.states import RunStatus, Status
from mlkit.core.values import decode, encode

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "attempt_rows",
    "run_from_row",
    "run_row",
    "stage_from_row",
    "stage_row",
]

SCHEMA_VERSION = 3

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS runs(run_id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, "
    "status TEXT NOT NULL, started REAL NOT NULL, ended REAL, document TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS stages(run_id TEXT NOT NULL, id TEXT NOT NULL, "
    "place INTEGER NOT NULL, stage TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, "
    "started REAL, ended REAL, result INTEGER, document TEXT NOT NULL, "
    "PRIMARY KEY(run_id, id)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS attempts(run_id TEXT NOT NULL, stage TEXT NOT NULL, "
    "number INTEGER NOT NULL, status TEXT NOT NULL, started REAL NOT NULL, ended REAL NOT NULL, "
    "error_type TEXT, document TEXT NOT NULL, PRIMARY KEY(run_id, stage, number)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS artifacts(digest TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, "
    "mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, created REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS fingerprints(id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "pipeline TEXT NOT NULL, stage TEXT NOT NULL, status TEXT NOT NULL, key TEXT NOT NULL, "
    "parts TEXT NOT NULL, observed TEXT NOT NULL, outputs TEXT NOT NULL, "
    "run_id TEXT NOT NULL, created REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS fingerprints_by_stage ON fingerprints(pipeline, stage, id)",
    "CREATE INDEX IF NOT EXISTS fingerprints_by_key ON fingerprints(pipeline, stage, key, id)",
    "CREATE INDEX IF NOT EXISTS stages_by_result ON stages(result)",
    "CREATE TABLE IF NOT EXISTS repairs(digest TEXT NOT NULL, time REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS repairs_by_digest ON repairs(digest, time)",
    "CREATE TABLE IF NOT EXISTS digests(path TEXT PRIMARY KEY, marks TEXT NOT NULL, "
    "digest TEXT NOT NULL) WITHOUT ROWID",
    "DROP TABLE IF EXISTS files",
)


def run_row(record: RunRecord, turn: int | None = None) -> dict[str, Any]:
    """The row of a run; its turn says where it stands in the order in which runs began."""
    document = {
        "format": FORMAT,
        "turn": turn,
        "file": record.file,
        "runs_dir": record.runs_dir,
        "parameters": encode(record.parameters),
        "options": encode(record.options),
        "edges": {name: list(upstream) for name, upstream in record.edges.items()},
        "warnings": list(record.warnings),
        "complete": record.complete,
        "engine": None if record.engine is None else dict(record.engine),
    }
    return {
        "run_id": record.run_id,
        "pipeline": record.pipeline,
        "status": record.status.value,
        "started": record.started,
        "ended": record.ended,
        "document": json.dumps(document),
    }


def run_from_row(row: sqlite3.Row, stages: list[StageRecord]) -> RunRecord:
    """Undo `run_row`."""
    document = json.loads(row["document"])
    return RunRecord(
        run_id=row["run_id"],
        pipeline=row["pipeline"],
        status=RunStatus(row["status"]),
        started=row["started"],
        ended=row["ended"],
        file=document["file"],
        runs_dir=document["runs_dir"],
        parameters=read_parameters(document),
        options=decode(document["options"]),
        edges={name: tuple(upstream) for name, upstream in document["edges"].items()},
        warnings=tuple(document["warnings"]),
        complete=document["complete"],
        engine=document.get("engine"),
        stages={stage.id: stage for stage in stages},
    )


def stage_row(run_id: str, stage: StageRecord, place: int) -> dict[str, Any]:
    """The row of a stage or instance."""
    document = {
        "artifacts": {name: item.to_json() for name, item in stage.artifacts.items()},
        "parameters": encode(stage.parameters),
        "inputs": encode(stage.inputs),
        "error": None if stage.error is None else stage.error.to_json(),
        "critical": stage.critical,
        "source_run": stage.source_run,
        "engine_task": stage.engine_task,
    }
    return {
        "run_id": run_id,
        "id": stage.id,
        "place": place,
        "stage": stage.stage,
        "status": stage.status.value,
        "reason": stage.reason,
        "started": stage.started,
        "ended": stage.ended,
        "result": stage.result,
        "document": json.dumps(document),
    }


def stage_from_row(row: sqlite3.Row, attempts: list[dict[str, Any]]) -> StageRecord:
    """Undo `stage_row`."""
    document = json.loads(row["document"])
    error = document["error"]
    return StageRecord(
        id=row["id"],
        stage=row["stage"],
        status=Status(row["status"]),
        reason=row["reason"],
        started=row["started"],
        ended=row["ended"],
        result=row["result"],
        history=tuple(AttemptRecord.from_json(attempt) for attempt in attempts),
        artifacts={name: ArtifactRecord(**item) for name, item in document["artifacts"].items()},
        parameters=decode(document["parameters"]),
        inputs=decode(document["inputs"]),
        error=None if error is None else ErrorRecord.from_json(error),
        critical=document["critical"],
        source_run=document["source_run"],
        engine_task=document.get("engine_task"),
    )


def attempt_rows(run_id: str, stage: StageRecord) -> Iterator[dict[str, Any]]:
    """The rows of a stage's attempts."""
    for attempt in stage.history:
        yield {
            "run_id": run_id,
            "stage": stage.id,
            "number": attempt.number,
            "status": attempt.status.value,
            "started": attempt.started,
            "ended": attempt.ended,
            "error_type": None if attempt.error is None else attempt.error.type,
            "document": json.dumps(attempt.to_json()),
        }
