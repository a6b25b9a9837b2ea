"""Find runs folders, and the records in them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.errors import UnknownRunError

if TYPE_CHECKING:
    from mlkit.reports.comparison import Comparison

__all__ = ["RUNS_DIR_VARIABLE", "compare", "find_run", "list_runs", "runs_folder"]

RUNS_DIR_VARIABLE = "MLKIT_RUNS_DIR"


def runs_folder(pipeline: Pipeline | Path | str, runs_dir: Path | str | None = None) -> Path:
    """Give the runs folder of a pipeline: the one named, `MLKIT_RUNS_DIR`, or `runs/` beside it.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder.
    runs_dir : Path or str, optional
        A folder that was asked for.

    Returns
    -------
    Path
        Absolute.
    """
    chosen = runs_dir or os.environ.get(RUNS_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if isinstance(pipeline, Pipeline):
        return Path(pipeline.folder) / "runs"
    place = Path(pipeline).expanduser().absolute()
    return (place if place.is_dir() else place.parent) / "runs"


def find_run(run_id: str, runs_dir: Path | str) -> RunRecord:
    """Read the record of a run.

    Parameters
    ----------
    run_id : str
        The run's id, its only beginning that fits, or `latest`.
    runs_dir : Path or str
        The runs folder.

    Raises
    ------
    UnknownRunError
        If there is no such run, or several fit.
    """
    from mlkit.store.database import Database
    from mlkit.store.folder import RunsFolder

    folder = RunsFolder(Path(runs_dir))
    found = folder.find(run_id)
    with contextlib.closing(Database(folder.database)) as database:
        record = database.load_run(found.path.name)
    if record is None:
        raise UnknownRunError(f"the database knows no run '{found.path.name}'", folder.database)
    return record


def list_runs(runs_dir: Path | str) -> Sequence[RunRecord]:
    """Read the records of all runs, oldest first; none if there is no runs folder yet."""
    from mlkit.store.database import Database
    from mlkit.store.folder import RunsFolder

    folder = RunsFolder(Path(runs_dir))
    if not folder.database.exists():
        return []
    with contextlib.closing(Database(folder.database)) as database:
        return database.load_runs()


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
    from mlkit.reports.comparison import compare_runs

    return compare_runs(find_run(one, runs_dir), find_run(other, runs_dir))
