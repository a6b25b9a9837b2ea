"""Run a pipeline, or say what a run would do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.api.engine_calls import scheduled_values
from mlkit.api.reading import runs_folder
from mlkit.core.configuration import Configuration
from mlkit.core.instances import stage_of
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.errors import UsageError
from mlkit.load.lists import with_lists
from mlkit.load.parameters import Layers, configure
from mlkit.load.pipeline import load_pipeline

if TYPE_CHECKING:
    from mlkit.driver.options import RunOptions
    from mlkit.driver.services import Services
    from mlkit.planner.forecast import Forecast
    from mlkit.store.database import Database
    from mlkit.store.folder import RunsFolder
    from mlkit.store.remote.places import Remotes
    from mlkit.store.remote.sharing import Sharing

__all__ = [
    "configure_with",
    "default_workers",
    "forecast",
    "loaded",
    "plan",
    "run",
    "run_options",
    "with_profile",
    "with_values",
]


def with_values(parameters: Mapping[str, Any] | None, layers: Layers | None) -> Layers:
    """Add values given from Python to layers; by default those of this process's environment."""
    layers = layers or Layers(environ=dict(os.environ))
    return replace(layers, values={**layers.values, **(parameters or {})})


def loaded(pipeline: Pipeline | Path | str, profile: str | None = None) -> Pipeline:
    """Give a pipeline, read from its file, with a profile, if it is named by path."""
    if isinstance(pipeline, Pipeline):
        return pipeline
    return load_pipeline(pipeline, profile=profile)


def with_profile(
    pipeline: Pipeline | Path | str, options: RunOptions
) -> tuple[Pipeline, RunOptions]:
    """Give a pipeline with the profile that is asked for, and options that name it.

    Raises
    ------
    UsageError
        If a pipeline that is loaded already has another profile.
    """
    current = loaded(pipeline, options.profile)
    name = None if current.profile is None else current.profile.name
    if options.profile is not None and (options.profile or None) != name:
        was = "without a profile" if name is None else f"with the profile '{name}'"
        raise UsageError(
            f"the pipeline was loaded {was}, and the profile '{options.profile}' is asked for",
            remedy=f"Load it so: mlkit.load_pipeline(path, profile={options.profile!r})",
        )
    return current, replace(options, profile=name)


def configure_with(
    pipeline: Pipeline, layers: Layers, parameters: Mapping[str, Any]
) -> Configuration:
    """Check some values, on top of other layers, without running anything."""
    return configure(pipeline, with_values(parameters, layers))


def run(
    pipeline: Pipeline | Path | str,
    *,
    parameters: Mapping[str, Any] | None = None,
    workers: int | None = None,
    runs_dir: Path | str | None = None,
    layers: Layers | None = None,
    options: RunOptions | None = None,
    services: Services | None = None,
    progress: bool = False,
) -> RunRecord:
    """Run a pipeline.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder.
    parameters : mapping of str to object, optional
        Values for `NAME` or `STAGE.NAME`; they win over every other layer.
    workers : int, optional
        How many stages run at once (default: as many as there are cores).
    runs_dir : Path or str, optional
        The runs folder.
    layers : Layers, optional
        Parameter files, environment and command line; default: this process's environment.
    options : RunOptions, optional
        Everything else that can be asked for.
    services : Services, optional
        The driver's surroundings: observers, clock, kernels, cancellation.
    progress : bool
        Print a line for each stage that starts or ends, as a notebook wants it.

    Returns
    -------
    RunRecord
        How it went; a failed run is a value, not an exception.

    Raises
    ------
    MlkitError
        If the pipeline, a parameter or an option is invalid; before anything ran.
    """
    from mlkit.driver.options import RunOptions
    from mlkit.driver.order import Order
    from mlkit.driver.services import Services
    from mlkit.driver.start import start_run

    pipeline, chosen = with_profile(pipeline, options or RunOptions())
    whole = with_values(parameters, layers)
    if chosen.run_id is not None:
        given = {**scheduled_values(pipeline, whole.environ), **whole.values}
        whole = replace(whole, values=given)
    configuration = configure(pipeline, whole)
    if workers is not None:
        chosen = replace(chosen, workers=workers)
    _check_workers(chosen.workers)
    surroundings = services or Services()
    return start_run(
        Order(
            pipeline=with_lists(pipeline, configuration),
            configuration=configuration,
            options=chosen,
            runs_dir=runs_folder(pipeline, runs_dir),
            services=_with_progress(surroundings) if progress else surroundings,
        )
    )


def _with_progress(services: Services) -> Services:
    """Add an observer that prints a line for each event that matters."""
    import sys

    from mlkit.observe.console import PlainConsole

    return replace(services, observers=[*services.observers, PlainConsole(sys.stdout)])


def default_workers(executor: str = "threads") -> int:
    """As many as there are cores that this process may use; as a cluster has threads.

    Parameters
    ----------
    executor : str
        Where attempts run, as for a run.
    """
    if executor != "threads":
        from mlkit.driver.executors import cluster_size

        return cluster_size(executor)
    from mlkit.driver.options import available_cores

    return available_cores()


def run_options(given: Mapping[str, Any]) -> RunOptions:
    """Give the options of a run; without a number of workers, as many as fit where it runs.

    Parameters
    ----------
    given : mapping of str to object
        The fields of `RunOptions` that somebody has chosen.
    """
    from mlkit.driver.options import RunOptions

    options = RunOptions(**given)
    workers = given.get("workers") or default_workers(options.executor)
    return replace(options, workers=workers)


def _check_workers(workers: int) -> None:
    if workers < 1:
        raise UsageError(f"{workers} workers can do no work", remedy="Give at least one")


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
    from mlkit.driver.options import RunOptions

    pipeline, options = with_profile(pipeline, options or RunOptions())
    configuration = configure(pipeline, with_values(parameters, layers))
    return forecast(pipeline, configuration, runs_folder(pipeline, runs_dir), options)


def forecast(
    pipeline: Pipeline,
    configuration: Configuration,
    runs_dir: Path,
    options: RunOptions | None = None,
) -> dict[str, Forecast]:
    """Forecast a run whose parameters are settled already; see `plan`."""
    from mlkit.driver.options import RunOptions
    from mlkit.driver.selecting import select
    from mlkit.driver.surroundings import kernel_environment
    from mlkit.planner.deciding import Planner
    from mlkit.planner.forecast import Forecaster
    from mlkit.planner.trace import Circumstances
    from mlkit.store.artifacts import ArtifactStore
    from mlkit.store.database import Database
    from mlkit.store.folder import RunsFolder
    from mlkit.store.remote.places import remotes_of

    options = options or RunOptions()
    pipeline = with_lists(pipeline, configuration)
    selection = select(pipeline, options)
    folder = RunsFolder(runs_dir)
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
        forecaster = Forecaster(planner, options.force)
        found = forecaster.forecast(sorted(selection.stages | selection.upstream))
    return {
        key: item
        for key, item in found.items()
        if (stage := stage_of(item.id)) in selection.stages
        and selection.has_id(pipeline.stages[stage], item.id)
    }


def _shared(folder: RunsFolder, database: Database, remotes: Remotes, pipeline: str) -> Sharing:
    """Open a store behind a URL in order to look at it; the results in it are taken in."""
    from mlkit.store.remote.sharing import open_sharing

    sharing = open_sharing(folder, database, remotes, only_looks=True)
    assert sharing is not None
    sharing.index.take_in(pipeline)
    return sharing
