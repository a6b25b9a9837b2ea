"""What a run writes down of itself, and when the database has it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mlkit.store.database import Database
from mlkit.testing import FakeRunner, chain, run_fake

LENGTH = 12


def _ended(runs: Path) -> set[str]:
    """The stages of the newest run that the database knows the end of."""
    connection = sqlite3.connect(runs / "mlkit.db")
    rows = connection.execute(
        "SELECT id FROM stages WHERE run_id = (SELECT MAX(run_id) FROM stages) "
        "AND ended IS NOT NULL"
    ).fetchall()
    connection.close()
    return {row[0] for row in rows}


def test_what_was_reused_is_saved_before_anything_is_executed(tmp_path: Path) -> None:
    """Others see it while a notebook runs, and a killed run has it."""
    file = chain(tmp_path, LENGTH)
    run_fake(file)
    seen = []
    last = f"s{LENGTH}"
    runner = FakeRunner({last: [lambda _: seen.append(_ended(tmp_path / "runs"))]})
    record = run_fake(file, force=[last], runner=runner)
    assert record.ok
    assert seen == [{f"s{n}" for n in range(1, LENGTH)}]


def test_what_was_reused_is_saved_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one transaction, for to reuse a stage takes less time than that; all of it at the end."""
    file = chain(tmp_path, LENGTH)
    run_fake(file)
    saved: list[int] = []
    save = Database.save_stages

    def counting(self: Database, run_id: str, stages: Any, places: Any) -> None:
        together = list(stages)
        saved.append(len(together))
        save(self, run_id, together, places)

    monkeypatch.setattr(Database, "save_stages", counting)
    assert run_fake(file).ok
    assert sum(saved) == LENGTH
    assert len(saved) < LENGTH
    assert _ended(tmp_path / "runs") == {f"s{n}" for n in range(1, LENGTH + 1)}


def test_what_was_reused_is_saved_where_the_run_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of mlkit's own in the middle takes nothing back."""
    file = chain(tmp_path, LENGTH)
    run_fake(file)
    place = Database.runs_with_result
    asked: list[int] = []

    def breaking(self: Database, result_id: int) -> list[str]:
        asked.append(result_id)
        if len(asked) == LENGTH // 2:
            raise RuntimeError("broken")
        return place(self, result_id)

    monkeypatch.setattr(Database, "runs_with_result", breaking)
    with pytest.raises(RuntimeError, match="broken"):
        run_fake(file)
    assert {f"s{n}" for n in range(1, LENGTH // 2)} <= _ended(tmp_path / "runs")
