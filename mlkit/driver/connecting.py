"""Connect a run with what stands behind its URLs, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.core.pipeline import Pipeline
from mlkit.driver.executors import AttemptExecutor, Site, open_executor
from mlkit.driver.given import artifacts_read
from mlkit.driver.options import RunOptions
from mlkit.driver.selecting import Selection
from mlkit.driver.services import Services
from mlkit.errors import UsageError
from mlkit.store.artifacts import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunFolder, RunsFolder
from mlkit.store.remote.places import remotes_of

if TYPE_CHECKING:
    from mlkit.store.remote.sharing import Sharing

__all__ = ["connect", "executor_for", "refuse_alive", "take_in_others"]


def connect(
    runs: RunsFolder, database: Database, options: RunOptions, services: Services
) -> Sharing | None:
    """Open the shared side of a runs folder; None where there is no URL.

    Raises
    ------
    UsageError
        If a URL cannot be used.
    """
    remotes = remotes_of(runs.path, options.store, services.environ)
    if remotes.store is None:
        return None
    from mlkit.store.remote.sharing import open_sharing

    return open_sharing(runs, database, remotes, writes=True)


def take_in_others(
    sharing: Sharing, pipeline: Pipeline, selection: Selection, options: RunOptions
) -> ArtifactStore:
    """Take in what other machines have made, and of a run that is joined what the stage reads.

    Returns
    -------
    ArtifactStore
        The store of the run.
    """
    sharing.index.take_in(pipeline.name)
    if options.run_id is not None:
        sharing.take_in_runs(options.run_id)
        record = sharing.database.load_run(options.run_id)
        if record is not None:
            artifacts = artifacts_read(pipeline, record, selection)
            sharing.fetch_artifacts(options.run_id, artifacts)
    return sharing.store


def executor_for(
    runs: RunsFolder, pipeline: Pipeline, options: RunOptions, sharing: Sharing | None
) -> AttemptExecutor:
    """Connect with where attempts run.

    Raises
    ------
    UsageError
        If there is no such executor, or it cannot do the work.
    """
    site = Site(
        runs_dir=runs.path,
        pipeline_folder=Path(pipeline.folder),
        store_url=None if sharing is None else sharing.store.remote.url,
    )
    return open_executor(options.executor, site)


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
        )
