"""Open what a run works with, before anything runs: runs folder, database, what is shared."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.driver.clock import Clock
from mlkit.driver.executors import AttemptExecutor, Site, open_executor
from mlkit.driver.given import artifacts_read
from mlkit.driver.order import Order
from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.store.artifact_store import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunFolder, RunsFolder
from mlkit.store.labels import taken
from mlkit.store.looking import opened
from mlkit.store.remote.places import remotes_of

if TYPE_CHECKING:
    from mlkit.store.remote.sharing import Sharing

__all__ = ["Stores", "opened_executor", "opened_stores", "refuse_alive"]

_LOOKS_EVERY_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Where what runs make is kept.

    Parameters
    ----------
    runs : RunsFolder
        The runs folder.
    database : Database
        The records in it.
    artifacts : ArtifactStore
        The artifacts in it, or behind a URL.
    sharing : Sharing, optional
        The side that other machines share.
    """

    runs: RunsFolder
    database: Database
    artifacts: ArtifactStore
    sharing: Sharing | None = None

    @property
    def trace_key(self) -> bytes:
        """With what digests of environment variables are keyed: one for all who share results."""
        return self.runs.trace_key() if self.sharing is None else self.sharing.trace_key()

    def name_run(self, order: Order, run_id: str | None = None) -> None:
        """Give a run the name that is asked for; without a run, see that the name is free.

        Raises
        ------
        UsageError
            If the name means something else, or another run has it.
        """
        name = order.options.name
        if name is None:
            return
        label = self.runs.check_label(name)
        if run_id is None:
            had = self.runs.labels.run_id(label)
            if had is not None and had != order.options.run_id:
                raise taken(label, had)
        elif self.sharing is None:
            self.runs.labels.give(label, run_id)
        else:
            self.sharing.give_label(label, run_id)

    def wait_for_others(self, run_id: str, called: str, clock: Clock) -> None:
        """Wait while another machine works on a stage of a run; its lease tells.

        On one machine, and on a file system that several share, the stage's lock does so. One that
        went away has its lease for a minute and a half more.
        """
        if self.sharing is None:
            return
        from mlkit.store.remote.leases import works_elsewhere  # see `opened_stores`

        while works_elsewhere(self.sharing.store.remote, self.runs.path, run_id, called):
            clock.wait(queue.SimpleQueue(), _LOOKS_EVERY_S)
        self.sharing.take_in_stages(run_id)


@contextlib.contextmanager
def opened_stores(order: Order) -> Iterator[Stores]:
    """Make and hold the runs folder; take in what other machines have made.

    Raises
    ------
    UsageError
        If the folder is being cleaned, or a URL cannot be used.
    """
    runs = RunsFolder(order.runs_dir)
    runs.make()
    with runs.in_use(), opened(runs) as database:
        database.scrubber = order.scrubber
        remotes = remotes_of(runs.path, order.options.store, order.services.environ)
        if remotes.store is None:
            yield Stores(runs=runs, database=database, artifacts=ArtifactStore(runs.store))
            return
        from mlkit.store.remote.sharing import open_sharing  # what is behind URLs costs 0.1 s

        sharing = open_sharing(runs, database, remotes, writes=True)
        assert sharing is not None
        _take_in_others(sharing, order)
        yield Stores(runs=runs, database=database, artifacts=sharing.store, sharing=sharing)


def _take_in_others(sharing: Sharing, order: Order) -> None:
    """Take in what other machines have made, and of a run that is joined what the stage reads."""
    sharing.index.take_in(order.pipeline.name)
    run_id = order.options.run_id
    if run_id is not None:
        sharing.take_in_runs(run_id)
        record = sharing.database.load_run(run_id)
        if record is not None:
            sharing.fetch_artifacts(run_id, artifacts_read(order.pipeline, record, order.selection))


@contextlib.contextmanager
def opened_executor(order: Order, stores: Stores) -> Iterator[AttemptExecutor]:
    """Connect with where attempts run.

    Raises
    ------
    UsageError
        If there is no such executor, or it cannot do the work.
    """
    site = Site(
        runs_dir=stores.runs.path,
        pipeline_folder=Path(order.pipeline.folder),
        store_url=None if stores.sharing is None else stores.sharing.store.remote.url,
    )
    with contextlib.closing(open_executor(order.options.executor, site)) as executor:
        yield executor


def refuse_alive(folder: RunFolder, *, free: bool) -> None:
    """Refuse to work on a run that a process of this machine works on.

    Raises
    ------
    UsageError
        If its lock was not free.
    """
    if not free:
        raise UsageError(
            f"run {folder.path.name} is alive",
            remedy="Wait until it has ended, or stop it first",
            code="E103",
        )
