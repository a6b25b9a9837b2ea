"""The database: round trips, versions, and what stands there after a failure."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mlkit import find_run, list_runs
from mlkit.errors import RunsFolderError
from mlkit.store.database import SCHEMA_VERSION, Database
from mlkit.testing import FakeRunner, Raises, chain, mapped, run_fake


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    """With stages in order, attempts, errors, artifacts."""
    file = mapped(tmp_path, ["b", "a"])
    good = run_fake(file)
    bad = run_fake(file, force=True, runner=FakeRunner({"each[a]": [Raises()]}))
    assert find_run(good.run_id, tmp_path / "runs") == good
    assert list_runs(tmp_path / "runs") == [good, bad]
    assert list(find_run(bad.run_id, tmp_path / "runs").stages) == ["each[b]", "each[a]", "all"]


def test_it_holds_the_tables_that_are_documented(tmp_path: Path) -> None:
    """Runs, stages, attempts, artifacts, fingerprints; in write-ahead mode."""
    run_fake(chain(tmp_path, 1))
    connection = sqlite3.connect(tmp_path / "runs" / "mlkit.db")
    tables = {r[0] for r in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    connection.close()
    assert {"runs", "stages", "attempts", "artifacts", "fingerprints"} <= tables
    assert mode == "wal"


def test_a_folder_of_a_newer_mlkit_is_refused(tmp_path: Path) -> None:
    """With the remedy."""
    path = tmp_path / "mlkit.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(RunsFolderError, match="written by a newer mlkit"):
        Database(path)


def test_a_transaction_that_fails_leaves_no_half(tmp_path: Path) -> None:
    """Neither while it is made nor later."""
    database = Database(tmp_path / "mlkit.db")

    def half() -> None:
        with database._transaction():
            database._put("repairs", {"digest": "d", "time": 1.0})
            database._put("nonsense", {"a": 1})

    with pytest.raises(RunsFolderError):
        half()
    assert not database.repaired_since(["d"], 0.0)
    database.remember_repairs(["d"], 2.0)
    assert database.repaired_since(["d"], 1.0)
    assert not database.repaired_since(["d"], 2.0)
    database.close()


def test_an_older_database_gets_what_it_lacks(tmp_path: Path) -> None:
    """Its rows stay."""
    path = tmp_path / "mlkit.db"
    Database(path).close()
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE repairs")
    connection.execute("PRAGMA user_version=1")
    connection.commit()
    connection.close()
    database = Database(path)
    assert not database.repaired_since(["d"], 0.0)
    database.close()
