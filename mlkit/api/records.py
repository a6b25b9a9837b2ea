"""Find the records of runs."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.api.runs_place import runs_folder
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.record_views import is_half_done, killed, moved
from mlkit.core.states import RunStatus, Status
from mlkit.core.suggesting import did_you_mean
from mlkit.driver.event_log import last_signs
from mlkit.errors import UnknownRunError, UsageError
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.looking import known_run, known_runs, looked_at
from mlkit.store.refusals import readable_os_errors, refuse_other_than_folder
from mlkit.store.remote.places import as_typed, is_url, remotes_of
from mlkit.store.typed_path import typed_path

if TYPE_CHECKING:
    from mlkit.store.remote.sharing import Sharing
    from mlkit.store.sweeps import Sweep

__all__ = [
    "as_it_stands",
    "find_run",
    "find_sweep",
    "find_trace",
    "find_value",
    "list_runs",
    "place_of_runs",
    "record_in",
    "runs_of",
    "send_report",
    "up_to_date",
]


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
    if stage not in record.stages:
        raise UsageError(
            f"run {record.run_id} has no stage '{stage}'",
            remedy=did_you_mean(stage, record.stages) or f"See 'mlkit show {record.run_id}'",
            code="E101",
        )
    result_id = record.stages[stage].result
    folder, _ = up_to_date(runs_dir)
    with contextlib.closing(Database(folder.database)) as database:
        result = None if result_id is None else database.result(result_id)
    if result is None:
        raise UsageError(
            f"stage '{stage}' of run {record.run_id} has no result that could be reused",
            remedy="A trace belongs to a stage that has succeeded, or was reused",
            code="E104",
        )
    return result.observed


def find_value(run_id: str, reference: str, runs_dir: Path | str) -> list[Any]:
    """Read the JSON value in an artifact of a run, which other machines may have made.

    Parameters
    ----------
    run_id : str
        The run's id, whole; it may still be under way.
    reference : str
        `STAGE.OUTPUT`, or `STAGE[VALUE].OUTPUT`.
    runs_dir : Path or str
        The runs folder.

    Returns
    -------
    list
        The value; empty if the artifact was not made.

    Raises
    ------
    UsageError
        If there is no such run, or the artifact is no JSON.
    """
    folder = RunsFolder(runs_folder(Path.cwd(), runs_dir))
    if remotes_of(folder.path).runs is None:
        return _value_in(record_in(folder, run_id), reference, None)
    from mlkit.store.remote.sharing import open_sharing  # what is behind URLs costs 0.1 s

    folder.make()
    with contextlib.closing(Database(folder.database)) as database:
        sharing = open_sharing(folder, database, remotes_of(folder.path))
        if sharing is not None:
            sharing.take_in_runs(run_id)
            sharing.take_in_stages(run_id)
        return _value_in(record_in(folder, run_id), reference, sharing)


def _value_in(record: RunRecord, reference: str, sharing: Sharing | None) -> list[Any]:
    instance, _, output = reference.rpartition(".")
    stage = record.stages.get(instance)
    made = None if stage is None else stage.artifacts.get(output)
    if made is None:
        return []
    file = Path(made.path) if sharing is None else sharing.store.readable(made.digest)
    try:
        return [json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"'{reference}' of run {record.run_id} cannot be read as JSON: {why}",
            remedy="A condition or a list is a JSON value, in a file of its own",
        ) from None


def find_sweep(word: str, runs_dir: Path | str) -> Sweep | None:
    """Find a sweep by its name, or the only beginning of one that fits; None if it is none."""
    folder, _ = up_to_date(runs_dir)
    name = folder.sweeps.find(word)
    return None if name is None else folder.sweeps.read(name)


def find_run(run_id: str, runs_dir: Pipeline | Path | str, *, files: bool = False) -> RunRecord:
    """Read the record of a run.

    Parameters
    ----------
    run_id : str
        The run's id, its only beginning that fits, a name of it, or `latest`.
    runs_dir : Pipeline, Path or str
        The runs folder, or the pipeline, its pipeline.yaml or its folder.
    files : bool
        Whether its notebooks, logs and artifacts are to be read as well: those of a run that
        another machine has made are fetched then.

    Raises
    ------
    UnknownRunError
        If there is no such run, or several fit.
    """
    if not isinstance(run_id, str):  # the two are easily exchanged: everywhere else it comes first
        raise UsageError(
            f"a run is named by a text, not by a value of the type {type(run_id).__name__}",
            remedy="Name the run first, then where it is: mlkit.find_run('latest', PIPELINE)",
            code="E102",
        )
    folder, sharing = up_to_date(runs_dir)
    record = record_in(folder, run_id)
    if sharing is not None and files:
        sharing.fetch(record)
    return as_it_stands([record], folder, sharing)[0]


def record_in(folder: RunsFolder, run_id: str) -> RunRecord:
    """Read the record of a run in a runs folder that is up to date; see `find_run`."""
    found = folder.find(run_id)
    with looked_at(folder) as database:
        record = known_run(folder, database, found.path.name)
    if record is None:
        raise UnknownRunError(
            f"the record of run '{found.path.name}' cannot be read",
            found.record,
            remedy="It is damaged; what the run has made still stands in its folder",
        )
    return record


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
    folder, sharing = up_to_date(runs_dir or runs_of(pipeline))
    with looked_at(folder) as database:
        records = known_runs(folder, database)
    return as_it_stands(records, folder, sharing)


def as_it_stands(
    records: Sequence[RunRecord], folder: RunsFolder, sharing: Sharing | None
) -> list[RunRecord]:
    """Say of runs whose process is gone that they were killed, or wait for their engine.

    Locks and leases tell.
    """
    elsewhere: set[str] | None = None
    told = []
    for record in records:
        stands = record
        if (
            record.ended is None
            and record.status in _OPEN
            and not folder.run(record.run_id).is_alive()
        ):
            if elsewhere is None:
                elsewhere = _alive_elsewhere(sharing)
            if record.run_id not in elsewhere:
                stands = _last_word(record, folder)
        told.append(stands)
    return told


def _last_word(record: RunRecord, folder: RunsFolder) -> RunRecord:
    """What there is to say of a run without a process; it may have ended since it was read."""
    with looked_at(folder) as database:
        again = known_run(folder, database, record.run_id)
    if again is None:
        return _without_process(record, folder)
    again = moved(again, record.runs_dir)
    return again if again.ended is not None else _without_process(again, folder)


_OPEN = (RunStatus.RUNNING, RunStatus.FAILED)
"""What an unfinished run may read: one whose stages an engine calls has failed at the first."""


def _without_process(record: RunRecord, folder: RunsFolder) -> RunRecord:
    """A run that nobody works on now: an engine may go on with it, or it was killed."""
    torn = any(stage.begun is not None for stage in record.stages.values())
    told = killed(record, last_signs(folder.run(record.run_id).events) if torn else {})
    if not record.options.get("joined"):
        return told
    if any(stage.status is Status.FAILED and stage.critical for stage in told.stages.values()):
        return replace(told, status=RunStatus.FAILED)
    waits = is_half_done(record, time.time())
    return replace(told, status=RunStatus.WAITING) if waits else told


def _alive_elsewhere(sharing: Sharing | None) -> set[str]:
    """The runs that other machines work on; none where nothing is shared."""
    if sharing is None:
        return set()
    from mlkit.store.remote.leases import holders  # what is behind URLs costs 0.1 s

    return {holder.name for holder in holders(sharing.store.remote, only_looks=True)}


def runs_of(place: Pipeline | Path | str) -> Path | str:
    """The runs folder of a pipeline, or the one that is named itself."""
    if not isinstance(place, Pipeline):
        path = typed_path(place)
        # One whose database was deleted still has its store.
        with readable_os_errors(path):
            is_runs = (path / "mlkit.db").is_file() or (
                (path / "store").is_dir() and not (path / "pipeline.yaml").is_file()
            )
            if is_url(as_typed(place)) or is_runs or not path.exists():
                return place
    return runs_folder(place)


def place_of_runs(place: Pipeline | Path | str) -> Path | str:
    """The runs folder that is meant: a pipeline has its own, and everything else is one."""
    if isinstance(place, Pipeline):
        return runs_of(place)
    path = typed_path(place)
    file = path if path.suffix in {".yaml", ".yml"} else path / "pipeline.yaml"
    # A name that is too long is told by the work that follows.
    return runs_of(place) if os.path.isfile(file) else place  # noqa: PTH113 - see above


def up_to_date(runs_dir: Pipeline | Path | str) -> tuple[RunsFolder, Sharing | None]:
    """Open a runs folder; where it stands behind a URL, take in what others have made."""
    folder = RunsFolder(runs_folder(Path.cwd(), place_of_runs(runs_dir)))
    refuse_other_than_folder(folder.path)
    remotes = remotes_of(folder.path)
    if remotes.runs is None:
        return folder, None
    from mlkit.store.remote.sharing import open_sharing  # what is behind URLs costs 0.1 s

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
    from mlkit.store.remote.files import Remote  # what is behind URLs costs 0.1 s

    Remote(remotes.runs).upload(file, f"{record.run_id}/{file.name}")
