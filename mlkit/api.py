"""What mlkit exports: load, plan, run, resume, and look at pipelines of notebooks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.values import decode
from mlkit.errors import UnknownRunError, UsageError
from mlkit.load.parameters import ENVIRONMENT_PREFIX, Layers, configure
from mlkit.load.pipeline import load_pipeline

if TYPE_CHECKING:
    from mlkit.driver.options import RunOptions
    from mlkit.driver.services import Services
    from mlkit.planner.forecast import Forecast

__all__ = [
    "Layers",
    "configure",
    "find_run",
    "list_runs",
    "load_pipeline",
    "plan",
    "resume",
    "run",
    "runs_folder",
]

RUNS_DIR_VARIABLE = "MLKIT_RUNS_DIR"


def runs_folder(pipeline: Pipeline | Path | str, runs_dir: Path | str | None = None) -> Path:
    """Give the runs folder of a pipeline: the one named, `MLKIT_RUNS_DIR`, or `runs/` beside it.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder.
    runs_dir : Path or str, optional
        A folder that was asked for.

    Returns
    -------
    Path
        Absolute.
    """
    chosen = runs_dir or os.environ.get(RUNS_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if isinstance(pipeline, Pipeline):
        return Path(pipeline.folder) / "runs"
    place = Path(pipeline).expanduser().absolute()
    return (place if place.is_dir() else place.parent) / "runs"


def _layers(parameters: Mapping[str, Any] | None, layers: Layers | None) -> Layers:
    layers = layers or Layers(environ=dict(os.environ))
    return replace(layers, values={**layers.values, **(parameters or {})})


def _pipeline(pipeline: Pipeline | Path | str) -> Pipeline:
    return pipeline if isinstance(pipeline, Pipeline) else load_pipeline(pipeline)


def run(
    pipeline: Pipeline | Path | str,
    *,
    parameters: Mapping[str, Any] | None = None,
    workers: int | None = None,
    runs_dir: Path | str | None = None,
    layers: Layers | None = None,
    options: RunOptions | None = None,
    services: Services | None = None,
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
    from mlkit.driver.start import start_run

    loaded = _pipeline(pipeline)
    configuration = configure(loaded, _layers(parameters, layers))
    chosen = options or RunOptions(workers=default_workers())
    if workers is not None:
        chosen = replace(chosen, workers=workers)
    _check_workers(chosen.workers)
    return start_run(loaded, configuration, chosen, runs_folder(loaded, runs_dir), services)


def default_workers() -> int:
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


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
    loaded = _pipeline(pipeline)
    configuration = configure(loaded, _layers(parameters, layers))
    return forecast(loaded, configuration, runs_folder(loaded, runs_dir), options)


def forecast(
    pipeline: Pipeline,
    configuration: Configuration,
    runs_dir: Path,
    options: RunOptions | None = None,
) -> dict[str, Forecast]:
    """Forecast a run whose parameters are settled already; see `plan`."""
    import contextlib

    from mlkit.driver.options import RunOptions
    from mlkit.driver.selecting import select
    from mlkit.planner.deciding import Planner
    from mlkit.planner.forecast import Forecaster
    from mlkit.store.artifacts import ArtifactStore
    from mlkit.store.database import Database
    from mlkit.store.folder import RunsFolder

    options = options or RunOptions()
    selection = select(pipeline, options)
    folder = RunsFolder(runs_dir)
    path = folder.database if folder.database.exists() else Path(":memory:")
    with contextlib.closing(Database(path)) as database:
        store = ArtifactStore(folder.store)
        planner = Planner(pipeline, configuration, database, store, verify=options.verify)
        forecaster = Forecaster(planner, options.force)
        found = forecaster.forecast(sorted(selection.stages | selection.upstream))
    return {
        key: item
        for key, item in found.items()
        if item.id.partition("[")[0] in selection.stages
        and (selection.wanted is None or item.id == selection.wanted)
    }


def resume(
    run_id: str,
    pipeline: Pipeline | Path | str | None = None,
    *,
    runs_dir: Path | str | None = None,
    parameters: Mapping[str, Any] | None = None,
    workers: int | None = None,
    services: Services | None = None,
    kernel: str | None = None,
) -> RunRecord:
    """Finish a run that was killed or has failed, with its own parameters and today's code.

    Parameters
    ----------
    run_id : str
        The run's id, its only beginning that fits, or `latest`.
    pipeline : Pipeline, Path or str, optional
        The pipeline; by default the one that the run's record names.
    runs_dir : Path or str, optional
        The runs folder.
    parameters : mapping, optional
        Secrets, which no record holds.
    workers : int, optional
        How many stages run at once.
    services : Services, optional
        The driver's surroundings.
    kernel : {"fork", "spawn"}, optional
        How kernels are started.

    Returns
    -------
    RunRecord
        How it went.

    Raises
    ------
    UnknownRunError
        If there is no such run.
    UsageError
        If the run is alive.
    """
    from mlkit.driver.start import resume_run

    record = find_run(run_id, runs_folder(pipeline or Path.cwd(), runs_dir))
    loaded = _pipeline(pipeline or record.file)
    if loaded.name != record.pipeline:
        raise UsageError(
            f"run {record.run_id} is one of '{record.pipeline}', not of '{loaded.name}'",
            remedy="Name its pipeline: mlkit resume RUN PIPELINE",
        )
    configuration = configure(loaded, _own_layers(record, loaded, parameters or {}))
    options = _own_options(record, workers, kernel)
    return resume_run(record, loaded, configuration, options, services)


def _own_options(record: RunRecord, workers: int | None, kernel: str | None) -> RunOptions:
    from mlkit.driver.options import RunOptions

    kept = {key: record.options[key] for key in ("until", "only", "fail_fast", "verify")}
    chosen: Any = kernel or record.options["kernel"]
    return RunOptions(**kept, kernel=chosen, workers=workers or record.options["workers"])


def _own_layers(record: RunRecord, pipeline: Pipeline, secrets: Mapping[str, Any]) -> Layers:
    """The parameters of a run as layers: what it was given, and the defaults of its own day."""
    overrides = decode(record.options.get("overrides", {}))
    tainted = {
        name
        for name, value in pipeline.parameters.items()
        if isinstance(value, str | list | dict) and "${" in str(value)
    }
    known = {
        name: value
        for name, value in record.parameters.items()
        if name in pipeline.parameters and name not in tainted and value != "***"
    }
    still = {name: value for name, value in overrides.items() if _is_known(name, pipeline)}
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ENVIRONMENT_PREFIX) or _names_secret(name, pipeline)
    }
    return Layers(environ=environ, values={**known, **still, **secrets})


def _is_known(name: str, pipeline: Pipeline) -> bool:
    stage, _, parameter = name.rpartition(".")
    if stage:
        return stage in pipeline.stages and parameter in pipeline.stages[stage].configurable
    return name in pipeline.parameters or any(
        name in item.configurable for item in pipeline.stages.values()
    )


def _names_secret(variable: str, pipeline: Pipeline) -> bool:
    wanted = variable.removeprefix(ENVIRONMENT_PREFIX).upper()
    return any(
        declaration.spec.is_secret and name.upper() == wanted
        for stage in pipeline.stages.values()
        for name, declaration in stage.configurable.items()
    )


def find_run(run_id: str, runs_dir: Path | str) -> RunRecord:
    """Read the record of a run.

    Parameters
    ----------
    run_id : str
        The run's id, its only beginning that fits, or `latest`.
    runs_dir : Path or str
        The runs folder.

    Raises
    ------
    UnknownRunError
        If there is no such run, or several fit.
    """
    from mlkit.store.database import Database
    from mlkit.store.folder import RunsFolder

    folder = RunsFolder(Path(runs_dir))
    found = folder.find(run_id)
    database = Database(folder.database)
    try:
        record = database.load_run(found.path.name)
    finally:
        database.close()
    if record is None:
        raise UnknownRunError(f"the database knows no run '{found.path.name}'", folder.database)
    return record


def list_runs(runs_dir: Path | str) -> Sequence[RunRecord]:
    """Read the records of all runs, oldest first; none if there is no runs folder yet."""
    from mlkit.store.database import Database
    from mlkit.store.folder import RunsFolder

    folder = RunsFolder(Path(runs_dir))
    if not folder.database.exists():
        return []
    database = Database(folder.database)
    try:
        return database.load_runs()
    finally:
        database.close()
