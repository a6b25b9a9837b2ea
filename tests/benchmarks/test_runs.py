"""The benchmark of the history measures what it says."""

from __future__ import annotations

from pathlib import Path

from benchmarks.runs import COMMANDS, measure, write_history
from mlkit.api.run_tables import read_run_table


def test_the_history_reads_as_real_runs_do(tmp_path: Path) -> None:
    """Each with its own parameters and metrics, all stages counted; the commands run."""
    folder = write_history(tmp_path, 30)
    table = read_run_table(folder)
    assert len(table.rows) == table.total == 30
    assert {sum(row.counts.values()) for row in table.rows} == {18}
    assert len({row.parameters["rows"] for row in table.rows}) == 30
    assert all(len(row.metrics) == 12 for row in table.rows)
    assert set(measure(folder, 1)) == set(COMMANDS)
