"""The database: round trips, versions, and what stands there after a failure."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit import find_run, list_runs
from mlkit.api.old_runs import clean
from mlkit.errors import RunsFolderError
from mlkit.store.database import Database
from mlkit.store.database_tables import SCHEMA_VERSION
from mlkit.testing import (
    FakeClock,
    FakeRunner,
    Raises,
    chain,
    mapped,
    run_fake,
)


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


DAY_S = 86_400.0


@given(st.lists(st.tuples(st.floats(-500, 500), st.booleans()), min_size=2, max_size=6))
@settings(max_examples=12, deadline=None)
def test_order_does_not_go_by_the_clock(
    tmp_path_factory: pytest.TempPathFactory, jumps: list[tuple[float, bool]]
) -> None:
    """Whichever way it jumps, `latest`, the history and what is kept follow the true order."""
    folder = tmp_path_factory.mktemp("p")
    file = chain(folder, 1)
    made, good = [], None
    for days, ok in jumps:
        runner = FakeRunner({} if ok else {"s1": [Raises()]})
        clock = FakeClock(1_700_000_000 + days * DAY_S)
        record = run_fake(file, runner=runner, clock=clock, force=True)
        made.append(record.run_id)
        good = record.run_id if ok else good
    assert [record.run_id for record in list_runs(file)] == made
    latest = folder / "runs" / "latest"
    assert (latest.resolve().name if latest.exists() else None) == good
    gone = clean(folder / "runs", keep=1).runs
    assert list(gone) == [run_id for run_id in made[:-1] if run_id != good]


def test_runs_of_an_older_mlkit_come_first(tmp_path: Path) -> None:
    """They have no turn; an old database needs no change, and an old run that goes on stays old."""
    file = chain(tmp_path, 1)
    old = [run_fake(file, force=True) for _ in range(2)]
    database = Database(tmp_path / "runs" / "mlkit.db")
    with database._transaction():
        database._connection.execute(
            "UPDATE runs SET document = json_remove(document, '$.turn', '$.format')"
        )
    new = run_fake(file, force=True)
    assert [r.run_id for r in database.load_runs()] == [*(r.run_id for r in old), new.run_id]
    database.save_run(old[0])
    assert database.is_later(new.run_id, old[0].run_id)
    assert not database.is_later(old[0].run_id, new.run_id)
    database.close()


def test_a_run_of_another_machine_takes_its_place_by_its_clock(tmp_path: Path) -> None:
    """It may arrive after later ones; what begins here afterwards comes after it all the same."""
    file = chain(tmp_path, 1)
    first = run_fake(file, clock=FakeClock(1_700_000_000))
    third = run_fake(file, clock=FakeClock(1_700_000_200))
    second = replace(first, run_id="20991231-second", started=1_700_000_100.0)
    ahead = replace(first, run_id="20991231-wrong", started=1_900_000_000.0)
    with contextlib.closing(Database(tmp_path / "runs" / "mlkit.db")) as database:
        database.save_run(ahead, arrived=True)
        database.save_run(second, arrived=True)
        fourth = run_fake(file, clock=FakeClock(1_700_000_300))
        order = [record.run_id for record in database.load_runs()]
    ids = [run.run_id for run in (first, second, third, ahead, fourth)]
    assert order == ids


def test_a_database_that_is_full_keeps_what_it_has(tmp_path: Path) -> None:
    """A transaction that does not fit leaves no half of itself."""
    file = chain(tmp_path, 1)
    record = run_fake(file)
    database = Database(tmp_path / "runs" / "mlkit.db")
    pages = database._query("PRAGMA page_count", ())[0][0]
    database._query(f"PRAGMA max_page_count={pages}", ())
    stage = record.stages["s1"]
    with pytest.raises(RunsFolderError, match="full"):
        database.save_stage(record.run_id, replace(stage, reason="x" * 1_000_000), 0)
    assert database.load_run(record.run_id) == record
    database.close()
