"""Cancel a run that goes on in another process: a terminal's, a schedule's, a notebook's."""

from __future__ import annotations

from pathlib import Path

from mlkit.driver.stop_requests import request_stop
from mlkit.store.folder import RunsFolder

__all__ = ["cancel_run"]


def cancel_run(run_id: str, runs_dir: Path | str) -> None:
    """Ask a run to end as Ctrl-C does; what has finished is kept. It ends soon after.

    A schedule goes on after it; a sweep or a backfill of one process ends with it.

    Parameters
    ----------
    run_id : str
        The run, or the beginning of its id.
    runs_dir : Path or str
        The runs folder.

    Raises
    ------
    UsageError
        If it is another user's or another machine's, or does not go on.
    UnknownRunError
        If there is no such run.
    """
    request_stop(RunsFolder(Path(runs_dir)).find(run_id))
