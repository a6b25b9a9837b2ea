"""Choose the runs to remove, and remove them with what nothing refers to any longer."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence, Set
from pathlib import Path

from mlkit.core.outputs import TREE
from mlkit.core.record import RunRecord
from mlkit.frozen import dataclass
from mlkit.store.artifact_store import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.refusals import readable_os_errors
from mlkit.store.remote.clearing import RemoteCleaning

__all__ = [
    "Cleaning",
    "choose_runs",
    "copies_with",
    "is_full",
    "remove_files",
    "remove_records",
    "size_of",
    "survey",
]

_SMALL_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """What was removed, or would be.

    Parameters
    ----------
    runs : tuple of str
        The ids of the runs.
    named : tuple of str
        The runs that would go too, if they had no name.
    copies : tuple of str
        The notebooks that `mlkit debug` wrote of these runs: names of folders in `debug/`.
    artifacts : tuple of str
        The digests of artifacts that nothing refers to.
    size_bytes : int
        The room that this frees, about: artifacts, and the folders of runs and copies.
    """

    runs: tuple[str, ...]
    artifacts: tuple[str, ...]
    size_bytes: int
    named: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()


def choose_runs(
    records: Sequence[RunRecord],
    *,
    keep: int | None,
    older_than_s: float | None,
    now: float,
    spared: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Choose the runs that may go; one that has a name never does. Pure: no disk, no clock.

    Parameters
    ----------
    records : sequence of RunRecord
        All runs, oldest first.
    keep : int, optional
        Spare the newest so many of those that have no name.
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
    nameless = [record for record in records if not record.labels]
    stays = spared | {record.run_id for record in nameless[len(nameless) - (keep or 0) :]}
    return tuple(
        record.run_id
        for record in nameless
        if record.run_id not in stays
        and (older_than_s is None or record.started < now - older_than_s)
    )


def copies_with(
    names: Iterable[str], runs: Sequence[str], others: Iterable[str]
) -> tuple[str, ...]:
    """Choose the copies of stages that go with their runs. Pure: no disk.

    Parameters
    ----------
    names : iterable of str
        The names of all copies, `RUN-STAGE` and more.
    runs : sequence of str
        The runs that go.
    others : iterable of str
        The runs that stay.

    Returns
    -------
    tuple of str
        Their names. Somebody may have worked in a copy: one that may be of a run that stays, which
        is named `a-b` beside `a`, stays with it, and so does one whose run is not known.
    """
    goes, stays = (tuple(f"{run_id}-" for run_id in ids) for ids in (runs, others))
    return tuple(
        sorted(name for name in names if name.startswith(goes) and not name.startswith(stays))
    )


def survey(
    folder: RunsFolder,
    database: Database,
    runs: Sequence[str],
    sharing: RemoteCleaning | None = None,
) -> Cleaning:
    """Say what would go with some runs: the results that only they used, and their artifacts.

    Parameters
    ----------
    folder : RunsFolder
        The runs folder.
    database : Database
        Its database; it is only looked at.
    runs : sequence of str
        The runs to remove.
    sharing : RemoteCleaning, optional
        What stands behind the folder's URLs, and would go too.
    """
    store = ArtifactStore(folder.store) if sharing is None else sharing.store
    left = store.masters(database.digests_without(set(runs)))
    sizes = _unnamed(store, left)
    shared = {} if sharing is None else sharing.artifacts(left)
    size = sum(sizes.values()) + sum(shared.values())
    with readable_os_errors(folder.path):
        size += sum(size_of(folder.run(run_id).path) for run_id in runs)
        copies = copies_with(folder.copies(), runs, set(folder.run_ids()) - set(runs))
        size += sum(size_of(folder.debug / name) for name in copies)
    artifacts = tuple(sorted({**sizes, **shared}))
    return Cleaning(runs=tuple(runs), copies=copies, artifacts=artifacts, size_bytes=size)


def _unnamed(store: ArtifactStore, left: Set[str]) -> dict[str, int]:
    with readable_os_errors(store.path):
        return {
            digest: store.master(digest).stat().st_size
            for digest in store.digests()
            if digest not in left
        }


def remove_files(folder: RunsFolder, cleaning: Cleaning) -> None:
    """Remove the files of what a survey has found.

    On this machine they go before the records: on a full disk a record can be changed only when
    there is room again. A run whose folder is gone is gone for everybody, whatever the database
    still says of it, and a result whose artifact is gone is never used.
    """
    store = ArtifactStore(folder.store)
    with readable_os_errors(folder.path):
        store.sweep()
        for run_id in cleaning.runs:
            folder.run(run_id).remove()
        for name in cleaning.copies:
            shutil.rmtree(folder.debug / name)
        folder.drop_dead_latest()
        for label, run_id in folder.labels.all().items():
            if not folder.run(run_id).path.is_dir():  # somebody has removed it by hand
                folder.labels.take(label)
        for digest in cleaning.artifacts:
            store.discard(digest)


def remove_records(
    database: Database, cleaning: Cleaning, sharing: RemoteCleaning | None = None
) -> None:
    """Remove the records of what a survey has found, and what stands behind the folder's URLs.

    There the records go first: other machines read what they name.
    """
    for run_id in cleaning.runs:
        database.delete_run(run_id)
        database.delete_results_of(run_id)
    if sharing is not None:
        sharing.remove(cleaning.runs, cleaning.artifacts)
    database.forget_artifacts(
        f"{digits}{kind}" for digits in cleaning.artifacts for kind in ("", TREE)
    )


def is_full(folder: RunsFolder) -> bool:
    """Whether the disk has so little room that not even a small record can be changed."""
    return shutil.disk_usage(folder.path).free < _SMALL_BYTES


def size_of(path: Path) -> int:
    """The bytes below a folder that no other folder links to."""
    total = 0
    for file in path.rglob("*"):
        if file.is_file() and not file.is_symlink():
            stat = file.stat()
            total += stat.st_size if stat.st_nlink == 1 else 0
    return total
