"""Find runs folders, and the records in them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.record_views import is_half_done, killed
from mlkit.core.states import RunStatus
from mlkit.core.suggesting import did_you_mean
from mlkit.errors import UnknownRunError, UsageError
from mlkit.store.remote.places import as_typed, is_url, remotes_of, working_copy

if TYPE_CHECKING:
    from mlkit.reports.comparison import Comparison
    from mlkit.store.folder import RunsFolder
    from mlkit.store.remote.sharing import Sharing

__all__ = [
    "RUNS_DIR_VARIABLE",
    "compare",
    "find_run",
    "find_trace",
    "list_runs",
    "runs_folder",
    "send_report",
    "up_to_date",
]

RUNS_DIR_VARIABLE = "MLKIT_RUNS_DIR"


def runs_folder(pipeline: Pipeline | Path | str, runs_dir: Path | str | None = None) -> Path:
    """Give the runs folder of a pipeline: the one named, `MLKIT_RUNS_DIR`, or `runs/` beside it.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder.
    runs_dir : Path or str, optional
        A folder that was asked for, or a URL.

    Returns
    -------
    Path
        Absolute; of a runs folder behind a URL, the working copy on this machine.
    """
    chosen = runs_dir or os.environ.get(RUNS_DIR_VARIABLE)
    if chosen:
        typed = as_typed(chosen)
        return working_copy(typed) if is_url(typed) else Path(chosen).expanduser().absolute()
    if isinstance(pipeline, Pipeline):
        return Path(pipeline.folder) / "runs"
    place = Path(pipeline).expanduser().absolute()
    return (place if place.is_dir() else place.parent) / "runs"


def find_trace(record: RunRecord, stage: str, runs_dir: Path | str) -> Mapping[str, Any]:
    """Read what the result of a stage of a run was seen to depend on.

    Parameters
    ----------
    record : RunRecord
        The run.
    stage : str
        The stage, or `STAGE[VALUE]`.
    runs_dir : Path or str
        The runs folder.

    Raises
    ------
    UsageError
        If the run has no such stage, or the stage has no result.
    """
    from mlkit.store.database import Database

    if stage not in record.stages:
        raise UsageError(
            f"run {record.run_id} has no stage '{stage}'",
            remedy=did_you_mean(stage, record.stages) or f"See 'mlkit show {record.run_id}'",
        )
    result_id = record.stages[stage].result
    folder, _ = up_to_date(runs_dir)
    with contextlib.closing(Database(folder.database)) as database:
        result = None if result_id is None else database.result(result_id)
    if result is None:
        raise UsageError(
            f"stage '{stage}' of run {record.run_id} has no result that could be reused",
            remedy="A trace belongs to a stage that has succeeded, or was reused",
        )
    return result.observed


def find_run(run_id: str, runs_dir: Path | str, *, files: bool = False) -> RunRecord:
    """Read the record of a run.

    Parameters
    ----------
    run_id : str
        The run's id, its only beginning that fits, or `latest`.
    runs_dir : Path or str
        The runs folder.
    files : bool
        Whether its notebooks, logs and artifacts are to be read as well: those of a run that
        another machine has made are fetched then.

    Raises
    ------
    UnknownRunError
        If there is no such run, or several fit.
    """
    from mlkit.store.looking import known_run, looked_at

    folder, sharing = up_to_date(runs_dir)
    found = folder.find(run_id)
    with looked_at(folder) as database:
        record = known_run(folder, database, found.path.name)
    if record is not None and sharing is not None and files:
        sharing.fetch(record)
    if record is None:
        raise UnknownRunError(
            f"the record of run '{found.path.name}' cannot be read",
            found.record,
            remedy="It is damaged; what the run has made still stands in its folder",
        )
    return _as_it_stands([record], folder, sharing)[0]


def list_runs(
    pipeline: Pipeline | Path | str = ".", *, runs_dir: Path | str | None = None
) -> Sequence[RunRecord]:
    """Read the records of all runs, oldest first; none if there is no runs folder yet.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder, as for `run` and `plan`; or a runs folder.
    runs_dir : Path or str, optional
        The runs folder, if it is not the pipeline's own.
    """
    from mlkit.store.looking import known_runs, looked_at

    folder, sharing = up_to_date(runs_dir or _runs_of(pipeline))
    with looked_at(folder) as database:
        records = known_runs(folder, database)
    return _as_it_stands(records, folder, sharing)


def _as_it_stands(
    records: Sequence[RunRecord], folder: RunsFolder, sharing: Sharing | None
) -> list[RunRecord]:
    """Say of runs whose process is gone that they were killed; locks and leases tell."""
    elsewhere: set[str] | None = None
    told = []
    for record in records:
        stands = record
        if record.status is RunStatus.RUNNING and not folder.run(record.run_id).is_alive():
            if elsewhere is None:
                elsewhere = _alive_elsewhere(sharing)
            if record.run_id not in elsewhere:
                stands = _without_process(record)
        told.append(stands)
    return told


def _without_process(record: RunRecord) -> RunRecord:
    """A run that nobody works on now: an orchestrator may go on with it, or it was killed."""
    called = bool(record.options.get("joined")) and is_half_done(record, time.time())
    return replace(killed(record), status=RunStatus.RUNNING) if called else killed(record)


def _alive_elsewhere(sharing: Sharing | None) -> set[str]:
    """The runs that other machines work on; none where nothing is shared."""
    if sharing is None:
        return set()
    from mlkit.store.remote.leases import holders

    return {holder.name for holder in holders(sharing.store.remote)}


def _runs_of(place: Pipeline | Path | str) -> Path | str:
    """The runs folder of a pipeline, or the one that is named itself."""
    if not isinstance(place, Pipeline):
        path = Path(place).expanduser()
        # One whose database was deleted still has its store.
        is_runs = (path / "mlkit.db").is_file() or (
            (path / "store").is_dir() and not (path / "pipeline.yaml").is_file()
        )
        if is_url(as_typed(place)) or is_runs or not path.exists():
            return place
    return runs_folder(place)


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

    return compare_runs(find_run(one, runs_dir, files=True), find_run(other, runs_dir, files=True))


def up_to_date(runs_dir: Path | str) -> tuple[RunsFolder, Sharing | None]:
    """Open a runs folder; where it stands behind a URL, take in what others have made."""
    from mlkit.store.database import Database
    from mlkit.store.folder import RunsFolder

    folder = RunsFolder(runs_folder(Path.cwd(), runs_dir))
    remotes = remotes_of(folder.path)
    if remotes.runs is None:
        return folder, None
    from mlkit.store.remote.sharing import open_sharing

    folder.make()
    with contextlib.closing(Database(folder.database)) as database:
        sharing = open_sharing(folder, database, remotes)
        if sharing is not None:
            sharing.take_in()
    return folder, sharing


def send_report(record: RunRecord, file: Path) -> None:
    """Send a report that was written into a run's folder to where that folder is mirrored."""
    remotes = remotes_of(Path(record.runs_dir))
    if remotes.runs is None or file != Path(record.runs_dir) / record.run_id / file.name:
        return
    from mlkit.store.remote.files import Remote

    Remote(remotes.runs).upload(file, f"{record.run_id}/{file.name}")
