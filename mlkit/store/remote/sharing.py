"""Everything behind the URLs of a runs folder, opened together."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from mlkit.core.record import ArtifactRecord, RunRecord
from mlkit.errors import StoreError, UsageError
from mlkit.frozen import dataclass
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.remote.arrivals import fetch_artifacts, fetch_files, take_in_runs, take_in_stages
from mlkit.store.remote.files import Remote
from mlkit.store.remote.index import ResultIndex
from mlkit.store.remote.label_files import send_label, take_in_labels
from mlkit.store.remote.places import Remotes
from mlkit.store.remote.shared import SharedStore

__all__ = ["Sharing", "open_sharing"]

_TRACE_KEY = "trace.key"


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """The shared side of a runs folder.

    Parameters
    ----------
    folder : RunsFolder
        The runs folder of this machine.
    database : Database
        Its database.
    store : SharedStore
        The artifacts.
    index : ResultIndex
        The results.
    runs : Remote, optional
        Where the runs are mirrored.
    """

    folder: RunsFolder
    database: Database
    store: SharedStore
    index: ResultIndex
    runs: Remote | None

    def trace_key(self, *, makes: bool = True) -> bytes:
        """With what digests of environment variables are keyed: one for all who share results."""
        remote = self.store.remote
        key = remote.read(_TRACE_KEY)
        if key is None and makes:
            remote.write(_TRACE_KEY, secrets.token_bytes(32))
            key = remote.read(_TRACE_KEY)  # another machine may have written at the same time
        return key or b""

    def take_in(self) -> None:
        """Take in what other machines have made: results, and the records of runs."""
        self.index.take_in()
        self.take_in_runs()
        if self.runs is not None:
            take_in_labels(self.folder, self.database, self.runs)

    def take_in_runs(self, run_id: str | None = None) -> None:
        """Take in the records of runs, or of one."""
        if self.runs is not None:
            take_in_runs(self.folder, self.database, self.runs, run_id)

    def give_label(self, label: str, run_id: str) -> None:
        """Give a label to a run, for all who share the runs.

        Raises
        ------
        UsageError
            If another run has it.
        """
        if self.runs is not None:
            send_label(self.runs, label, run_id, moves=False)
        self.folder.labels.give(label, run_id, moves=self.runs is not None)

    def take_in_stages(self, run_id: str) -> bool:
        """Take in what others have ended in a run meanwhile; whether there was anything new."""
        if self.runs is None:
            return False
        self.index.take_in()
        return take_in_stages(self.folder, self.database, self.runs, run_id)

    def fetch_artifacts(self, run_id: str, artifacts: Iterable[ArtifactRecord]) -> None:
        """Fetch some artifacts of a run."""
        fetch_artifacts(self.folder.run(run_id), self.store, artifacts)

    def fetch(self, record: RunRecord) -> None:
        """Fetch the files of a run that another machine has made."""
        if self.runs is not None:
            fetch_files(self.folder, self.runs, self.store, record)


def open_sharing(
    folder: RunsFolder,
    database: Database,
    remotes: Remotes,
    *,
    writes: bool = False,
    only_looks: bool = False,
) -> Sharing | None:
    """Open what stands behind the URLs of a runs folder, and see that it can be used.

    Parameters
    ----------
    folder : RunsFolder
        The runs folder of this machine.
    database : Database
        Its database.
    remotes : Remotes
        The URLs.
    writes : bool
        Whether it has to be possible to write there.
    only_looks : bool
        Fetch no artifact merely in order to say that it is there.

    Returns
    -------
    Sharing, optional
        None if there is no URL.

    Raises
    ------
    UsageError
        If a URL cannot be used.
    """
    if remotes.store is None:
        return None
    remote = _opened(remotes.store, writes=writes)
    runs = None if remotes.runs is None else _opened(remotes.runs, writes=writes)
    store = SharedStore(folder.store, remote, only_looks=only_looks)
    return Sharing(
        folder=folder,
        database=database,
        store=store,
        index=ResultIndex(store, database),
        runs=runs,
    )


def _opened(url: str, *, writes: bool) -> Remote:
    try:
        remote = Remote(url)
    except StoreError as error:
        raise UsageError(error.message, error.file, remedy=error.remedy) from error
    remote.check(writes=writes)
    return remote
