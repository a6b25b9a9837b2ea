"""The tables of a runs folder's database, and how an older file is brought up to date."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from mlkit.errors import RunsFolderError
from mlkit.store.connection import BUSY_TIMEOUT_S, transaction, user_version

__all__ = ["CLEANED_SCHEMA", "SCHEMA_VERSION", "SHARED_SCHEMA", "prepare"]

SCHEMA_VERSION = 5

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
    "run_id TEXT NOT NULL, created REAL NOT NULL, logged TEXT)",
    "CREATE INDEX IF NOT EXISTS fingerprints_by_stage ON fingerprints(pipeline, stage, id)",
    "CREATE INDEX IF NOT EXISTS fingerprints_by_key ON fingerprints(pipeline, stage, key, id)",
    "CREATE INDEX IF NOT EXISTS stages_by_result ON stages(result)",
    "CREATE TABLE IF NOT EXISTS repairs(digest TEXT NOT NULL, time REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS repairs_by_digest ON repairs(digest, time)",
    "CREATE TABLE IF NOT EXISTS digests(path TEXT PRIMARY KEY, marks TEXT NOT NULL, "
    "digest TEXT NOT NULL) WITHOUT ROWID",
    "DROP TABLE IF EXISTS files",
    "CREATE TABLE IF NOT EXISTS metrics(run_id TEXT NOT NULL, place INTEGER NOT NULL, "
    "number INTEGER NOT NULL, stage TEXT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, "
    "PRIMARY KEY(run_id, place, number)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS runs_by_turn ON "
    "runs(COALESCE(json_extract(document, '$.turn'), 0), run_id)",
    "CREATE INDEX IF NOT EXISTS stages_by_status ON stages(run_id, status)",
    "CREATE TABLE IF NOT EXISTS unmeasured(run_id TEXT PRIMARY KEY) WITHOUT ROWID",
)
MEASURED_SINCE = 4
"""The version since which what a stage measured stands in the database; earlier runs' files do."""

SHARED_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS shared(store TEXT NOT NULL, name TEXT NOT NULL, "
    "result INTEGER NOT NULL, PRIMARY KEY(store, name)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS shared_by_result ON shared(store, result)",
)
"""Stands in databases only that have met a store behind a URL."""

CLEANED_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS cleaned(pipeline TEXT NOT NULL, stage TEXT NOT NULL, "
    "key TEXT NOT NULL, PRIMARY KEY(pipeline, stage, key)) WITHOUT ROWID"
)
"""Stands in databases only from which something was cleaned: the results that there were."""


def prepare(connection: sqlite3.Connection, path: Path) -> bool:
    """Make the tables that are not there yet.

    Parameters
    ----------
    connection : Connection
        To the file.
    path : Path
        The file, which an error names.

    Returns
    -------
    bool
        Whether there were none.

    Raises
    ------
    RunsFolderError
        If a newer mlkit has written the file.
    """
    version = user_version(connection)
    if version > SCHEMA_VERSION:
        raise RunsFolderError(
            "this runs folder was written by a newer mlkit",
            path,
            remedy="Update mlkit, or choose another folder with --runs-dir",
        )
    if version < SCHEMA_VERSION:
        _journal_ahead(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    if version < SCHEMA_VERSION:
        with transaction(connection):
            _bring_up(connection, version)
    return version == 0


def _bring_up(connection: sqlite3.Connection, version: int) -> None:
    for statement in SCHEMA:
        connection.execute(statement)
    columns = connection.execute("SELECT name FROM pragma_table_info('fingerprints')").fetchall()
    if "logged" not in {row["name"] for row in columns}:
        connection.execute("ALTER TABLE fingerprints ADD COLUMN logged TEXT")
    if version < MEASURED_SINCE:
        connection.execute("INSERT OR IGNORE INTO unmeasured SELECT run_id FROM runs")
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _journal_ahead(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; SQLite does not wait where another process does so too."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
