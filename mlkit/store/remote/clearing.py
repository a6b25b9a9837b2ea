"""Remove runs, results and artifacts behind the URLs of a runs folder.

What is `remote` is imported where it is used: cleaning a folder of this machine needs no fsspec.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING

from mlkit.core.outputs import DIGITS
from mlkit.store.artifact_store import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.remote.places import Remotes

if TYPE_CHECKING:
    from mlkit.store.remote.sharing import Sharing

__all__ = ["RemoteCleaning", "cleanable"]


class RemoteCleaning:
    """Cleans what others share; while its lease is held, no run begins anywhere.

    Parameters
    ----------
    sharing : Sharing
        The shared side of the runs folder; the database knows all results and runs in it.
    """

    def __init__(self, sharing: Sharing) -> None:
        self.sharing = sharing

    @property
    def store(self) -> ArtifactStore:
        """The artifacts, those that are only behind the URL too."""
        return self.sharing.store

    def artifacts(self, left: Set[str]) -> dict[str, int]:
        """The artifacts behind the URL that nothing refers to, with their sizes in bytes."""
        found = {}
        for entry in self.sharing.store.remote.entries():
            digest = entry.name.replace("/", "", 1)
            place = entry.name[2:3] == "/" and len(digest) == DIGITS
            if place and digest not in left:
                found[digest] = entry.size_bytes
        return found

    def remove(self, runs: Sequence[str], artifacts: Sequence[str]) -> None:
        """Remove runs, the records of results that the database has dropped, then artifacts."""
        from mlkit.store.remote.claims import forget_dead
        from mlkit.store.remote.mirror import INDEX
        from mlkit.store.remote.shared import artifact_name

        remote = self.sharing.runs
        for run_id in runs if remote is not None else ():
            assert remote is not None
            remote.remove([f"{INDEX}/{run_id}", f"{run_id}/run.json"])
            remote.remove(entry.name for entry in remote.entries(run_id))
        if remote is not None:
            forget_dead(remote)
        self.sharing.index.remove_orphans()
        self.sharing.store.remote.remove(artifact_name(digest) for digest in artifacts)
        for place in (self.sharing.store.remote, remote):
            if place is not None:
                place.sweep()


@contextlib.contextmanager
def cleanable(
    folder: RunsFolder, database: Database, remotes: Remotes
) -> Iterator[RemoteCleaning | None]:
    """Keep runs on other machines out while a store is cleaned; None where there is no URL.

    Raises
    ------
    UsageError
        If a run is alive somewhere.
    """
    if remotes.store is None:
        yield None
        return
    from mlkit.store.remote.leases import CLEANING, held
    from mlkit.store.remote.sharing import open_sharing

    sharing = open_sharing(folder, database, remotes, writes=True)
    assert sharing is not None
    with held(sharing.store.remote, CLEANING, folder.path):
        sharing.take_in()
        yield RemoteCleaning(sharing)
