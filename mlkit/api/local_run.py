"""Run a pipeline on this machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.api.choices import must_be, with_profile, with_values
from mlkit.api.engine_calls import begun_with, scheduled_values
from mlkit.api.run_inputs import with_run_outputs
from mlkit.api.runs_place import runs_folder
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.driver.options import RunOptions
from mlkit.driver.order import Order
from mlkit.driver.services import Services
from mlkit.driver.start import start_run
from mlkit.errors import UsageError
from mlkit.load.lists import with_lists
from mlkit.load.parameters import Layers, configure
from mlkit.observe.console import PlainConsole
from mlkit.store.folder import RESERVED
from mlkit.store.labels import check_label

__all__ = ["run"]


def run(  # noqa: PLR0913 - keywords: each is asked for by its name
    pipeline: Pipeline | Path | str,
    *,
    parameters: Mapping[str, Any] | None = None,
    workers: int | None = None,
    runs_dir: Path | str | None = None,
    layers: Layers | None = None,
    options: RunOptions | None = None,
    services: Services | None = None,
    progress: bool = False,
    name: str | None = None,
    note: str | None = None,
    track: str | None = None,
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
    name : str, optional
        A name for the run, by which it is found wherever a run is named, and which keeps it.
    note : str, optional
        A sentence about the run, for its record.
    track : str, optional
        Tell MLflow of the run: `mlflow:URL`, or `mlflow` for the server that
        `MLFLOW_TRACKING_URI` names, else for the runs folder.

    Returns
    -------
    RunRecord
        How it went; a failed run is a value, not an exception.

    Raises
    ------
    MlkitError
        If the pipeline, a parameter or an option is invalid; before anything ran.
    """
    must_be(Services, services, "the services", "Give mlkit.Services(…)")
    pipeline, chosen = with_profile(pipeline, options or RunOptions())
    whole = with_values(parameters, layers)
    where = runs_folder(pipeline, runs_dir)
    if chosen.run_id is not None:
        given = {**scheduled_values(pipeline, whole), **whole.values}
        whole = replace(whole, values=given, begun=begun_with(pipeline, chosen.run_id, where))
    configuration = configure(pipeline, whole)
    if workers is not None:
        chosen = replace(chosen, workers=workers)
    if name is not None or note is not None:
        chosen = replace(chosen, name=name or chosen.name, note=note or chosen.note)
    if track is not None:
        chosen = replace(chosen, track=track)
    if chosen.name is not None:
        check_label(chosen.name, RESERVED)
    _check_workers(chosen.workers)
    surroundings = services or Services()
    return start_run(
        Order(
            pipeline=with_run_outputs(with_lists(pipeline, configuration), chosen, where),
            configuration=configuration,
            options=chosen,
            runs_dir=where,
            services=_with_progress(surroundings) if progress else surroundings,
        )
    )


def _with_progress(services: Services) -> Services:
    """Add an observer that prints a line for each event that matters."""
    return replace(services, observers=[*services.observers, PlainConsole(sys.stdout)])


def _check_workers(workers: int) -> None:
    if type(workers) is not int:
        raise UsageError(f"{workers!r} is no number of workers", remedy="Give a whole number")
    if workers < 1:
        raise UsageError(f"{workers} workers can do no work", remedy="Give at least one")
