"""Hold runs side by side: two in every detail, or many by what differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from mlkit.api.records import find_run, list_runs, place_of_runs, up_to_date
from mlkit.api.run_tables import measured_by, row_of
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.errors import UnknownRunError, UsageError
from mlkit.reports.comparison import Comparison, compare_runs
from mlkit.reports.many_runs import ManyRuns, Traced, compare_many
from mlkit.store.database import Database
from mlkit.store.looking import looked_at

__all__ = ["compare", "compare_several", "find_several", "names_of_runs"]


@overload
def compare(one: str, other: str, runs_dir: Pipeline | Path | str = "runs") -> Comparison: ...


@overload
def compare(one: Sequence[str], *, runs_dir: Pipeline | Path | str = "runs") -> ManyRuns: ...


def compare(
    one: str | Sequence[str], other: str | None = None, runs_dir: Pipeline | Path | str = "runs"
) -> Comparison | ManyRuns:
    """Hold runs side by side: two in every detail, or a list of any length by what differs.

    Parameters
    ----------
    one : str or sequence of str
        A run, as for `find_run`; or all that are to be compared, with a sweep for its runs.
    other : str, optional
        The run beside it; a list has none.
    runs_dir : Pipeline, Path or str
        The runs folder, or the pipeline, its pipeline.yaml or its folder.

    Returns
    -------
    Comparison or ManyRuns
        Both have `to_text()` and `to_json()`.

    Raises
    ------
    UnknownRunError
        If there is no such run.
    UsageError
        If there is but one.
    """
    if isinstance(one, str) and other is not None:
        return compare_runs(
            find_run(one, runs_dir, files=True), find_run(other, runs_dir, files=True)
        )
    if isinstance(one, str) or other is not None:
        raise UsageError(
            "runs are compared as two names, or as one list of names",
            remedy='mlkit.compare("a", "b", "runs") or mlkit.compare(["a", "b"], runs_dir="runs")',
            code="E102",
        )
    place = place_of_runs(runs_dir)
    return compare_several(find_several(names_of_runs(one, place), place), place)


def names_of_runs(words: Sequence[str], runs_dir: Path | str) -> list[str]:
    """Put in the place of each sweep the ids of its runs; other words stay as they are.

    Parameters
    ----------
    words : sequence of str
        Runs, as for `find_run`, and sweeps.
    runs_dir : Path or str
        The runs folder.

    Raises
    ------
    UnknownRunError
        If no run of a sweep has begun.
    """
    folder, _ = up_to_date(runs_dir)
    found: list[str] = []
    for word in words:
        sweep = folder.sweeps.find(word)
        if sweep is None:
            found.append(word)
            continue
        begun = [run.run_id for run in list_runs(runs_dir=runs_dir) if run.group == sweep]
        if not begun:
            raise UnknownRunError(
                f"no run of the sweep '{sweep}' is there",
                folder.path,
                remedy=f"Make them: mlkit resume {sweep}",
            )
        found += sorted(begun)
    return found


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
