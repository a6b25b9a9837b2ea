"""Hold two runs side by side."""

from __future__ import annotations

from pathlib import Path

from mlkit.api.records import find_run
from mlkit.reports.comparison import Comparison, compare_runs

__all__ = ["compare"]


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
