"""Run a pipeline on an engine, in the engine's own environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.api.choices import with_profile, with_values
from mlkit.api.engine_process import EngineProcess
from mlkit.api.exports import export_settings, secrets_in, write_export
from mlkit.api.run_inputs import with_run_outputs
from mlkit.api.runs_place import runs_folder, url_of_runs
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.driver.engine_run import EngineRun
from mlkit.driver.interrupts import interruptible
from mlkit.driver.options import RunOptions
from mlkit.driver.order import Order as RunOrder
from mlkit.driver.services import Services
from mlkit.driver.stop_requests import heeding_requests
from mlkit.engines.environments import engine_python
from mlkit.engines.launching import Order
from mlkit.engines.refusals import Refusal, composed_maps, refuse
from mlkit.engines.registry import Engine, compiler_of, engine_named, launcher_of
from mlkit.errors import EngineError
from mlkit.load.lists import with_lists
from mlkit.load.parameters import Layers, configure
from mlkit.store.looking import opened
from mlkit.store.remote.places import remotes_of
from mlkit.store.remote.sharing import open_sharing

__all__ = ["run_on"]


def run_on(  # noqa: PLR0913 - each is an option of the command
    pipeline: Pipeline | Path | str,
    engine: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    layers: Layers | None = None,
    runs_dir: Path | str | None = None,
    options: RunOptions | None = None,
    services: Services | None = None,
    host: str | None = None,
    workers: int | None = None,
) -> RunRecord:
    """Run a pipeline on an engine, in the engine's own environment.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder.
    engine : str
        The engine's name.
    parameters, layers, runs_dir, options, services
        As for `run`.
    host : str, optional
        The address of the engine's server, where it can be given one.
    workers : int, optional
        How many tasks may run at once; by default those of the options here, and as many as the
        engine lets on a server.

    Returns
    -------
    RunRecord
        The same record as of a local run, with the engine's own ids in it.

    Raises
    ------
    MlkitError
        If the pipeline or a parameter is invalid, the engine cannot express the pipeline, or is
        not there; before anything ran.
    """
    chosen = engine_named(engine)
    if chosen.written_only:
        raise EngineError(
            f"{chosen.title} cannot be given a run from here: {chosen.written_only}",
            remedy=f"Write its files by 'mlkit export {chosen.name} --to DIR', and hand them over",
        )
    services = services or Services()
    current, options = with_profile(pipeline, options or RunOptions())
    whole = with_values(parameters, layers)
    configuration = configure(current, whole)
    current = with_lists(current, configuration)
    folder = runs_folder(current, runs_dir)
    with_run_outputs(current, options, folder)  # each task finds them anew; a mistake is told now
    if host is not None:
        refuse(chosen, current, _without_images(current, chosen))
    if host is None:  # this machine does the work
        workers = workers or options.workers
    where = url_of_runs(runs_dir) or folder  # a task may be on a machine with another copy
    settings = export_settings(configuration, current.file, where, options, workers)
    refuse(chosen, current, composed_maps(current))
    # This run is not the schedule's, so that the engine need not express one.
    made = compiler_of(chosen)(replace(current, schedule=None), settings)
    python = engine_python(chosen, services.environ)
    run = EngineRun(
        RunOrder(
            pipeline=current,
            configuration=configuration,
            options=options,
            runs_dir=folder,
            services=services,
        ),
        chosen.name,
    )
    place = run.folder.path / "engine"
    write_export(made, place)
    order = Order(
        python=python,
        folder=place,
        entry=made.entry,
        pipeline=current.name,
        run_id=run.record.run_id,
        host=host,
    )
    return _follow(run, order, chosen, {**whole.environ, **secrets_in(current, whole)})


def _follow(
    run: EngineRun,
    order: Order,
    engine: Engine,
    secrets: Mapping[str, str],
) -> RunRecord:
    """Start the engine, tell what its tasks do, and settle the run whatever happens."""
    services = run.order.services

    run.tell_start()
    log = order.folder / f"{engine.name}.log"
    trouble: str | None = f"{engine.title} could not be started"
    try:
        stoppable = heeding_requests(run.folder, services.cancellation)
        with interruptible(services.cancellation), stoppable:
            launch = launcher_of(engine)(order)
            environ = {**services.environ, **secrets}
            process = EngineProcess(launch, environ, log, run.folder.events)
            code = process.run(services.cancellation, run.journal.pass_on)
            trouble = f"{engine.title} ended with exit code {code}; what it said is in {log}"
        _take_in(run)
    finally:
        record = run.settle(trouble, cancelled=services.cancellation.requested)
    return record


def _take_in(run: EngineRun) -> None:
    """Take in what tasks on other machines have ended, where the runs stand behind a URL."""
    remotes = remotes_of(run.runs.path)
    if remotes.runs is None:
        return
    with opened(run.runs) as database:
        sharing = open_sharing(run.runs, database, remotes, writes=True)
        if sharing is not None:
            sharing.take_in_stages(run.record.run_id)


def _without_images(pipeline: Pipeline, engine: Engine) -> Iterator[Refusal]:
    """Name the stages that a cluster has no mlkit to run with."""
    for stage in pipeline.stages.values():
        if engine.runs_images and stage.image is None:
            yield Refusal(
                stage=stage,
                fact="on a cluster it needs an image that holds mlkit",
                remedy="Name one, for all stages at once by defaults: {image: …}",
            )
