"""Hold runs side by side: two in every detail, or many by what differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlkit.api.records import find_run, up_to_date
from mlkit.api.run_tables import measured_by, row_of
from mlkit.core.record import RunRecord
from mlkit.reports.comparison import Comparison, compare_runs
from mlkit.reports.many_runs import ManyRuns, Traced, compare_many
from mlkit.store.database import Database
from mlkit.store.looking import looked_at

__all__ = ["compare", "compare_several", "find_several"]


def compare(one: str, other: str, runs_dir: Path | str) -> Comparison:
    """Hold two runs side by side: parameters, code, artifacts and metrics.

    Parameters
    ----------
    one, other : str
        The runs' ids, as for `find_run`.
    runs_dir : Path or str
        The runs folder.

    Raises
    ------
    UnknownRunError
        If there is no such run.
    """
    return compare_runs(find_run(one, runs_dir, files=True), find_run(other, runs_dir, files=True))


def find_several(names: Sequence[str], runs_dir: Path | str) -> list[RunRecord]:
    """Read the records of runs with their files, each once, in the order of the names."""
    found = [find_run(name, runs_dir, files=True) for name in names]
    return list({record.run_id: record for record in found}.values())


def compare_several(records: Sequence[RunRecord], runs_dir: Path | str) -> ManyRuns:
    """Hold runs side by side by what differs: parameters, code, files, packages, metrics.

    Parameters
    ----------
    records : sequence of RunRecord
        The runs.
    runs_dir : Path or str
        The runs folder.
    """
    folder, _ = up_to_date(runs_dir)
    with looked_at(folder) as database:
        traced = [_traced(record, database) for record in records]
    rows = [row_of(record, measured_by(record)) for record in records]
    return compare_many(records, rows, traced)


def _traced(record: RunRecord, database: Database) -> Traced:
    """What the results of a run's stages depended on, as far as it is still known."""
    found = {}
    for item in record.stages.values():
        result = None if item.result is None else database.result(item.result)
        if result is not None:
            found[item.id] = {"parts": result.parts, "observed": result.observed}
    return found
