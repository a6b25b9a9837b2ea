"""Remove old runs, and what nothing refers to."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from mlkit.api.kept import end_kernels
from mlkit.core.record_views import UNFINISHED_FOR_S, is_half_done
from mlkit.errors import RunsFolderError, UsageError
from mlkit.store.cleaning import (
    Cleaning,
    choose_runs,
    is_full,
    remove_files,
    remove_records,
    survey,
)
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.looking import known_heads, known_run, looked_at, opened
from mlkit.store.remote.clearing import cleanable
from mlkit.store.remote.places import remotes_of

__all__ = ["clean"]


def clean(
    runs_dir: Path | str,
    *,
    keep: int | None = None,
    older_than_s: float | None = None,
    dry_run: bool = True,
    store: str | None = None,
    unfinished_for_s: float = UNFINISHED_FOR_S,
) -> Cleaning:
    """Remove runs by age or count, and artifacts that nothing refers to.

    Parameters
    ----------
    runs_dir : Path or str
        The runs folder.
    keep : int, optional
        Spare the newest so many runs; those that have a name stay in any case.
    older_than_s : float, optional
        Remove only runs that started longer ago, in seconds.
    dry_run : bool
        Say what would go, and remove nothing.
    store : str, optional
        The URL of a shared store that is cleaned as well.
    unfinished_for_s : float
        Spare a run that an orchestrator has not ended, if something has happened in it for so many
        seconds.

    Raises
    ------
    UsageError
        If a run is alive in the folder.
    """
    folder = RunsFolder(Path(runs_dir))
    remotes = remotes_of(folder.path, store)
    if remotes.store is not None:
        folder.make()
    elif not folder.path.is_dir():
        return Cleaning(runs=(), artifacts=(), size_bytes=0)

    def chosen(database: Database) -> tuple[list[str], tuple[str, ...]]:
        """The runs that may go, and those that only their names keep."""
        latest = {folder.latest.resolve().name} if folder.latest.is_symlink() else set()
        known, now = known_heads(folder, database), time.time()
        ids = {record.run_id for record in known}
        # Only the database still knows of a run whose folder was deleted; a mirrored one comes back
        gone = [run_id for run_id in database.run_ids() if run_id not in ids]
        half_done = {
            record.run_id
            for head in known
            if head.ended is None and (record := known_run(folder, database, head.run_id))
            if is_half_done(record, now, unfinished_for_s)
        }
        spared = frozenset(latest | half_done)
        choose = partial(choose_runs, keep=keep, older_than_s=older_than_s, now=now, spared=spared)
        labelled = {record.run_id for record in known if record.labels}
        alike = choose([replace(record, labels=()) for record in known])
        named = tuple(run_id for run_id in alike if run_id in labelled)
        return [*([] if remotes.runs else gone), *choose(known)], named

    def without_kernels(found: Cleaning) -> None:
        """End the kernels that are kept of runs that go; where they cannot be told, none is."""
        if found.runs:
            end_kernels(runs_dir=folder.path, run_ids=found.runs)

    with folder.lock(shared=False) as alone:
        if not alone:
            raise UsageError(
                "a run is alive in this runs folder",
                folder.path,
                remedy="Clean when it has ended",
                code="E103",
            )
        if remotes.store is None:
            with looked_at(folder) as database:
                runs, named = chosen(database)
                found = replace(survey(folder, database, runs), named=named)
            if not dry_run:
                without_kernels(found)
                remove_files(folder, found)
                _forget_sweeps(folder)
                try:
                    with opened(folder) as database:
                        remove_records(database, found)
                except RunsFolderError:
                    # What could be freed is free; the next cleaning drops the rows, which nobody
                    # believes without the files.
                    if not is_full(folder):
                        raise
            return found
        with (
            opened(folder) as database,
            cleanable(folder, database, remotes) as sharing,
        ):
            runs, named = chosen(database)
            found = replace(survey(folder, database, runs, sharing), named=named)
            if not dry_run:
                without_kernels(found)
                remove_records(database, found, sharing)
                remove_files(folder, found)
            return found


def _forget_sweeps(folder: RunsFolder) -> None:
    """Forget the sweeps of which no run is left; one that begins at this moment holds its name."""
    with looked_at(folder) as database:
        left = {record.group for record in known_heads(folder, database)}
    for name in folder.sweeps.names():
        with folder.claim(f"sweep {name}") as free:
            if free and name not in left:
                folder.sweeps.drop(name)
