"""Choose the runs to remove, and remove them with what nothing refers to any longer."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlkit.core.record import RunRecord
from mlkit.store.artifacts import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder, readable_os_errors
from mlkit.store.remote_cleaning import RemoteCleaning

__all__ = ["Cleaning", "choose_runs", "clean", "size_of"]


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """What was removed, or would be.

    Parameters
    ----------
    runs : tuple of str
        The ids of the runs.
    artifacts : tuple of str
        The digests of artifacts that nothing refers to.
    size_bytes : int
        The room that this frees, about: artifacts and the folders of runs.
    """

    runs: tuple[str, ...]
    artifacts: tuple[str, ...]
    size_bytes: int


def choose_runs(
    records: Sequence[RunRecord],
    *,
    keep: int | None,
    older_than_s: float | None,
    now: float,
    spared: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Choose the runs that may go. Pure: no disk, no clock.

    Parameters
    ----------
    records : sequence of RunRecord
        All runs, oldest first.
    keep : int, optional
        Spare the newest so many.
    older_than_s : float, optional
        Choose only runs that started longer ago.
    now : float
        The present, in seconds since 1970.
    spared : frozenset of str
        Runs that stay in any case: those that are alive, and the latest successful one.

    Returns
    -------
    tuple of str
        Their ids; with both conditions given, those that meet both.
    """
    if keep is None and older_than_s is None:
        return ()
    last = len(records) - (keep or 0)
    return tuple(
        record.run_id
        for index, record in enumerate(records)
        if index < last
        and (older_than_s is None or record.started < now - older_than_s)
        and record.run_id not in spared
    )


def clean(
    folder: RunsFolder,
    database: Database,
    runs: Sequence[str],
    *,
    dry_run: bool,
    sharing: RemoteCleaning | None = None,
) -> Cleaning:
    """Remove runs, the results that only they used, and artifacts that nothing refers to.

    Parameters
    ----------
    folder : RunsFolder
        The runs folder; its lock is held alone.
    database : Database
        Its database.
    runs : sequence of str
        The runs to remove.
    dry_run : bool
        Say what would go, and remove nothing.
    sharing : RemoteCleaning, optional
        What stands behind the folder's URLs, and goes too.
    """
    store = ArtifactStore(folder.store)
    doomed = set(runs)
    left = database.digests_without(doomed)
    sizes = {
        digest: store.master(digest).stat().st_size
        for digest in store.digests()
        if digest not in left
    }
    shared = {} if sharing is None else sharing.artifacts(left)
    size = sum(sizes.values()) + sum(shared.values())
    size += sum(size_of(folder.run(run_id).path) for run_id in runs)
    artifacts = tuple(sorted({**sizes, **shared}))
    cleaning = Cleaning(runs=tuple(runs), artifacts=artifacts, size_bytes=size)
    if not dry_run:
        _remove(folder, database, cleaning, sharing)
    return cleaning


def _remove(
    folder: RunsFolder,
    database: Database,
    cleaning: Cleaning,
    sharing: RemoteCleaning | None,
) -> None:
    """Records go first: what no record names is never used, whatever happens next."""
    store = ArtifactStore(folder.store)
    for run_id in cleaning.runs:
        database.delete_run(run_id)
        database.delete_results_of(run_id)
    if sharing is not None:
        sharing.remove(cleaning.runs, cleaning.artifacts)
    database.forget_artifacts(cleaning.artifacts)
    with readable_os_errors(folder.path):
        for digest in cleaning.artifacts:
            store.drop(digest)
        for run_id in cleaning.runs:
            shutil.rmtree(folder.run(run_id).path, ignore_errors=True)
            if folder.latest.is_symlink() and not folder.latest.exists():
                folder.latest.unlink()
        store.sweep()


def size_of(path: Path) -> int:
    """The bytes below a folder that no other folder links to."""
    total = 0
    for file in path.rglob("*"):
        if file.is_file() and not file.is_symlink():
            stat = file.stat()
            total += stat.st_size if stat.st_nlink == 1 else 0
    return total
