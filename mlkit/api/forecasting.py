"""Say what a run would do, and why."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.api.choices import with_profile, with_values
from mlkit.api.run_inputs import with_run_outputs
from mlkit.api.runs_place import runs_folder
from mlkit.core.configuration import Configuration
from mlkit.core.instances import stage_of
from mlkit.core.pipeline import Pipeline
from mlkit.driver.options import RunOptions
from mlkit.driver.selecting import select
from mlkit.driver.surroundings import kernel_environment
from mlkit.load.lists import with_lists
from mlkit.load.parameters import Layers, configure
from mlkit.planner.deciding import Planner
from mlkit.planner.forecast import Forecast, Forecaster
from mlkit.planner.variables import Circumstances
from mlkit.store.artifact_store import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.refusals import refuse_other_than_folder
from mlkit.store.remote.places import Remotes, remotes_of

if TYPE_CHECKING:
    from mlkit.store.remote.sharing import Sharing

__all__ = ["forecast", "plan"]


def plan(
    pipeline: Pipeline | Path | str,
    *,
    parameters: Mapping[str, Any] | None = None,
    runs_dir: Path | str | None = None,
    layers: Layers | None = None,
    options: RunOptions | None = None,
) -> dict[str, Forecast]:
    """Say what a run would do with each stage, and why, without running anything.

    Parameters
    ----------
    pipeline, parameters, runs_dir, layers, options
        As for `run`.

    Returns
    -------
    dict of str to Forecast
        By instance id, upstream first.

    Raises
    ------
    MlkitError
        If the pipeline, a parameter or an option is invalid.
    """
    pipeline, options = with_profile(pipeline, options or RunOptions())
    configuration = configure(pipeline, with_values(parameters, layers))
    return forecast(pipeline, configuration, runs_folder(pipeline, runs_dir), options)


def forecast(
    pipeline: Pipeline,
    configuration: Configuration,
    runs_dir: Path,
    options: RunOptions | None = None,
    *,
    ignore_policy: bool = False,
) -> dict[str, Forecast]:
    """Forecast a run whose parameters are settled already; see `plan`.

    With `ignore_policy`, results of stages that are never reused are looked for as well: whether
    anything has changed for them, and not what a run would do.
    """
    options = options or RunOptions()
    pipeline = with_run_outputs(with_lists(pipeline, configuration), options, runs_dir)
    selection = select(pipeline, options)
    folder = RunsFolder(runs_dir)
    refuse_other_than_folder(folder.path)
    remotes = remotes_of(folder.path, options.store)
    # What others have put behind a URL is written down here; otherwise looking needs no writing.
    looks = remotes.store is None
    path = folder.database if looks or folder.database.exists() else Path(":memory:")
    with contextlib.closing(Database(path, only_looks=looks)) as database:
        store, key = ArtifactStore(folder.store), folder.trace_key(makes=False)
        if not looks:
            sharing = _shared(folder, database, remotes, pipeline.name)
            store, key = sharing.store, sharing.trace_key(makes=False)
        planner = Planner(
            pipeline,
            configuration,
            database,
            store,
            verify=options.verify,
            circumstances=Circumstances(environ=kernel_environment(os.environ), key=key),
        )
        forecaster = Forecaster(planner, options.force, ignore_policy=ignore_policy)
        found = forecaster.forecast(sorted(selection.stages | selection.upstream))
    return {
        key: item
        for key, item in found.items()
        if (stage := stage_of(item.id)) in selection.stages
        and selection.has_id(pipeline.stages[stage], item.id)
    }


def _shared(folder: RunsFolder, database: Database, remotes: Remotes, pipeline: str) -> Sharing:
    """Open a store behind a URL in order to look at it; the results in it are taken in."""
    # A plan of what stands on this machine alone is said 20 ms earlier without it.
    from mlkit.store.remote.sharing import open_sharing

    sharing = open_sharing(folder, database, remotes, only_looks=True)
    assert sharing is not None
    sharing.index.take_in(pipeline)
    return sharing
