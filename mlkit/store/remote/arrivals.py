"""Runs that other machines have made: their records into the database, their files when wanted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mlkit.core.record import ArtifactRecord, Places, RunRecord, StageRecord
from mlkit.core.record_views import (
    last_moment,
    moved_stage,
    stage_moment,
)
from mlkit.store.database import Database
from mlkit.store.folder import RunFolder, RunsFolder, readable_os_errors
from mlkit.store.latest import point_latest
from mlkit.store.looking import record_of
from mlkit.store.remote.files import Remote
from mlkit.store.remote.mirror import INDEX, STAGES
from mlkit.store.remote.seen import Seen
from mlkit.store.remote.shared import SharedStore
from mlkit.store.writing import write_json

__all__ = ["fetch_artifacts", "fetch_files", "take_in_runs", "take_in_stages"]


def take_in_runs(
    folder: RunsFolder, database: Database, remote: Remote, only: str | None = None
) -> None:
    """Bring the records of runs up to date that were made, went on, or were removed elsewhere.

    Parameters
    ----------
    folder : RunsFolder
        The working copy.
    database : Database
        Its database; it knows the results that the store has.
    remote : Remote
        The runs folder behind the URL.
    only : str, optional
        The one run that matters.
    """
    seen = Seen(folder.path)
    before = frozenset(seen.marks)  # read before the place is: others list it meanwhile
    entries = [e for e in remote.entries(INDEX) if only in (None, e.name.partition("/")[2])]
    changed = [entry.name.partition("/")[2] for entry in seen.news(entries)]
    found = remote.read_all(f"{run_id}/run.json" for run_id in changed)
    for name, data in sorted(found.items()):
        run_id = name.partition("/")[0]
        record = record_of(data, run_id, folder)
        if record is not None:  # one that is damaged is no reason to show none of the others
            _take_in(folder, database, record)
            take_in_stages(folder, database, remote, run_id, anew=True)
    seen.keep(entries)
    if entries and only is None:  # an empty place may be a disk that is not mounted
        # Last: a newer run that has just arrived may use the results of one that is gone.
        _drop_removed(folder, database, before - {entry.name for entry in entries})


def _drop_removed(folder: RunsFolder, database: Database, names: Iterable[str]) -> None:
    """Remove the runs that stood there once and that another machine has cleaned away since.

    A run that was never sent stands nowhere else, and stays.
    """
    gone = {name: name.partition("/")[2] for name in names if name.startswith(f"{INDEX}/")}
    dropped = [name for name, run_id in gone.items() if not folder.run(run_id).is_alive()]
    for name in dropped:
        database.delete_run(gone[name])
        database.delete_results_of(gone[name])
        folder.run(gone[name]).remove()
    Seen(folder.path).forget(dropped)
    if dropped and folder.drop_dead_latest():
        for record in database.runs_alone():
            if record.ok:
                point_latest(folder, database, record)


def _take_in(folder: RunsFolder, database: Database, record: RunRecord) -> None:
    """Keep a record, unless what is here is as new or a process of this machine works on it."""
    own = database.load_run(record.run_id)
    place = folder.run(record.run_id)
    if own is not None and (last_moment(own) >= last_moment(record) or place.is_alive()):
        return
    for rank, stage in enumerate(record.stages.values()):
        _save_stage(database, record, stage, rank)
    database.keep_stages(record.run_id, record.stages)
    database.save_run(record, arrived=True)
    with readable_os_errors(place.path):
        place.path.mkdir(parents=True, exist_ok=True)
    write_json(record.to_full_json(), place.record)
    if record.ok:
        point_latest(folder, database, record)


def _save_stage(database: Database, run: RunRecord, stage: StageRecord, rank: int) -> None:
    place = Places(run.edges).entry(stage.stage, rank)
    database.save_stage(run.run_id, _with_result(database, run, stage), place)


def take_in_stages(
    folder: RunsFolder, database: Database, remote: Remote, run_id: str, *, anew: bool = False
) -> bool:
    """Take in the stages that other machines have ended in a run that several work on.

    Parameters
    ----------
    folder : RunsFolder
        The working copy.
    database : Database
        Its database; of a run that it does not know, nothing is taken in.
    remote : Remote
        The runs folder behind the URL.
    run_id : str
        The run.
    anew : bool
        Read also what was read before.

    Returns
    -------
    bool
        Whether there was anything new.
    """
    entries = remote.entries(f"{run_id}/{STAGES}")
    if not entries:
        return False
    seen = Seen(folder.path)
    run = database.load_run(run_id)
    if run is None:  # another machine has begun it at this very moment; later all are read
        return False
    wanted = entries if anew else seen.news(entries)
    news = False
    for data in remote.read_all(entry.name for entry in wanted).values():
        try:
            told = json.loads(data)
            stage = StageRecord.from_json(told["id"], told["record"])
            stage = moved_stage(stage, told["runs_dir"], str(folder.path))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        own = run.stages.get(stage.id)
        if own is None or stage_moment(own) < stage_moment(stage):
            _save_stage(database, run, stage, len(run.stages))
            news = True
    seen.keep(entries)
    return news


def _with_result(database: Database, run: RunRecord, stage: StageRecord) -> StageRecord:
    outputs = {name: artifact.digest for name, artifact in stage.artifacts.items()}
    source = stage.source_run or run.run_id
    return replace(stage, result=database.result_of(run.pipeline, stage.id, source, outputs))


def fetch_files(folder: RunsFolder, remote: Remote, store: SharedStore, record: RunRecord) -> None:
    """Fetch a run's notebooks, logs and artifacts, as far as they are not here.

    A damaged or lost artifact stays absent; the stage that needs it will say so.
    """
    place = folder.run(record.run_id)
    with readable_os_errors(place.path):
        for entry in remote.entries(record.run_id):
            target = place.path / Path(entry.name).relative_to(record.run_id)
            wanted = _is_within(target, place.path) and target != place.record
            if wanted and not _is_here(target, entry.size_bytes):
                _fetch(remote, entry.name, target)
    fetch_artifacts(
        place, store, (a for stage in record.stages.values() for a in stage.artifacts.values())
    )


def fetch_artifacts(
    place: RunFolder, store: SharedStore, artifacts: Iterable[ArtifactRecord]
) -> None:
    """Fetch artifacts to where a run's records say that they stand, unless they are there."""
    with readable_os_errors(place.path):
        for artifact in artifacts:
            copy = Path(artifact.path)
            absent = _is_within(copy, place.path) and not copy.exists()
            if absent and store.is_whole(artifact.digest, None, deep=False):
                copy.parent.mkdir(parents=True, exist_ok=True)
                store.place(artifact.digest, copy)


def _is_within(path: Path, folder: Path) -> bool:
    """Whether a path that somebody else wrote down leads into a folder, and nowhere else."""
    return path.is_relative_to(folder) and ".." not in path.parts


def _is_here(target: Path, size_bytes: int) -> bool:
    return target.is_file() and target.stat().st_size == size_bytes


def _fetch(remote: Remote, name: str, target: Path) -> None:
    """Fetch one file, in one piece."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".part-{target.name[-80:]}")
    try:
        if remote.download(name, aside):
            shutil.move(aside, target)
    finally:
        aside.unlink(missing_ok=True)
