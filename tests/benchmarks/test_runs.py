"""The benchmark of the history measures what it says."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from benchmarks.runs import COMMANDS, measure, write_history
from mlkit.api.run_tables import read_run_table
from mlkit.testing import run_fake


def test_the_history_reads_as_real_runs_do(tmp_path: Path) -> None:
    """Each with its own parameters and metrics, all stages counted; the commands run."""
    folder = write_history(tmp_path, 30)
    table = read_run_table(folder)
    assert len(table.rows) == table.total == 30
    assert {sum(row.counts.values()) for row in table.rows} == {18}
    assert len({row.parameters["rows"] for row in table.rows}) == 30
    assert all(len(row.metrics) == 12 for row in table.rows)
    assert set(measure(folder, 1)) == set(COMMANDS)


class Steps:
    """Counts the steps of SQLite's machine, of all connections that are made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        connect = sqlite3.connect

        def counting(*args: Any, **keywords: Any) -> sqlite3.Connection:
            made: sqlite3.Connection = connect(*args, **keywords)
            made.set_progress_handler(self._step, 1)
            return made

        monkeypatch.setattr(sqlite3, "connect", counting)

    def _step(self) -> int:
        self.count += 1
        return 0


def test_one_more_run_asks_as_much_of_a_long_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked of the database, an index answers."""
    steps = Steps(monkeypatch)
    counts = []
    for size in (20, 400):
        folder = write_history(tmp_path / str(size), size)
        before = steps.count
        assert run_fake(folder / "pipeline.yaml").ok
        counts.append(steps.count - before)
    assert counts[1] < 1.1 * counts[0], counts
