"""Resume a run with its own parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.api.records import find_run
from mlkit.api.run_inputs import with_run_outputs
from mlkit.api.runs_place import runs_folder
from mlkit.core.configuration import HIDDEN, Configuration
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.values import canonical, decode, shown
from mlkit.driver.options import RunOptions
from mlkit.driver.order import Order
from mlkit.driver.services import Services
from mlkit.driver.start import resume_run
from mlkit.errors import UsageError
from mlkit.load.contract import holds_variable
from mlkit.load.lists import with_lists
from mlkit.load.merging import is_secret
from mlkit.load.parameters import ENVIRONMENT_PREFIX, Layers, configure
from mlkit.load.pipeline_file import load_pipeline

__all__ = ["own_layers", "resume", "run_pipeline"]


def resume(  # noqa: PLR0913 - keywords: each is asked for by its name
    run_id: str,
    pipeline: Pipeline | Path | str | None = None,
    *,
    runs_dir: Path | str | None = None,
    parameters: Mapping[str, Any] | None = None,
    workers: int | None = None,
    services: Services | None = None,
    start: str | None = None,
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
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
    start : {"fork", "spawn"}, optional
        How kernels are started.
    options : mapping, optional
        Fields of `mlkit.RunOptions` that are to differ from those of the run.
    environ : mapping of str to str, optional
        Where `${NAME}` and secrets are found; default: this process's environment.

    Returns
    -------
    RunRecord
        How it went.

    Raises
    ------
    UnknownRunError
        If there is no such run.
    UsageError
        If the run is alive, or a parameter that is no secret is given another value.
    """
    record = find_run(run_id, runs_folder(pipeline or Path.cwd(), runs_dir), files=True)
    profile = (options or {}).get("profile")
    current = run_pipeline(record, pipeline, profile)
    if current.name != record.pipeline:
        raise UsageError(
            f"run {record.run_id} is one of '{record.pipeline}', not of '{current.name}'",
            remedy="Name its pipeline: mlkit resume RUN PIPELINE",
        )
    configuration = _own_configuration(record, current, parameters or {}, environ)
    given = {"workers": workers, "start": start, **(options or {})}
    changes = {name: value for name, value in given.items() if value is not None}
    chosen = replace(RunOptions.of_record(record.options), **changes)
    chosen = replace(chosen, profile=None if current.profile is None else current.profile.name)
    order = Order(
        pipeline=with_run_outputs(
            with_lists(current, configuration), chosen, Path(record.runs_dir)
        ),
        configuration=configuration,
        options=chosen,
        runs_dir=Path(record.runs_dir),
        services=services or Services(),
    )
    return resume_run(order, record.run_id)


def _own_configuration(
    record: RunRecord,
    pipeline: Pipeline,
    given: Mapping[str, Any],
    environ: Mapping[str, str] | None,
) -> Configuration:
    """The run's own values, with the secrets that are given.

    Any other value that differs would make artifacts that the run's record knows nothing of.
    """
    configuration = configure(pipeline, own_layers(record, pipeline, given, environ))
    secrets = {name: value for name, value in given.items() if is_secret(pipeline, name)}
    if len(secrets) == len(given):
        return configuration
    own = configure(pipeline, own_layers(record, pipeline, secrets, environ))
    changed = [("", configuration.pipeline, own.pipeline)]
    changed += [
        (f"{stage}.", now, own.stages[stage]) for stage, now in configuration.stages.items()
    ]
    for place, now, then in changed:
        for name, bound in now.items():
            kept = then.get(name)
            if kept is not None and canonical(kept.value) == canonical(bound.value):
                continue
            was = "its notebook's default" if kept is None else shown(kept.value)
            raise UsageError(
                f"run {record.run_id} keeps its own parameters: {place}{name} is {was} there, "
                f"not {shown(bound.value)}",
                remedy=f"Leave it out, or make another run: mlkit run -p {place}{name}=…",
                code="E102",
            )
    return own


def run_pipeline(
    record: RunRecord,
    pipeline: Pipeline | Path | str | None = None,
    profile: str | None = None,
) -> Pipeline:
    """Give the pipeline of a run as it is today, with the profile that the run had.

    Parameters
    ----------
    record : RunRecord
        The run.
    pipeline : Pipeline, Path or str, optional
        The pipeline; by default the one that the record names.
    profile : str, optional
        Another profile in place of the run's own.
    """
    wanted = str(record.options.get("profile") or "") if profile is None else profile
    if not isinstance(pipeline, Pipeline):
        return load_pipeline(pipeline or record.file, profile=wanted)
    name = "" if pipeline.profile is None else pipeline.profile.name
    return pipeline if name == wanted else load_pipeline(Path(pipeline.file), profile=wanted)


def own_layers(
    record: RunRecord,
    pipeline: Pipeline,
    secrets: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
) -> Layers:
    """The parameters of a run as layers: what it was given, and the defaults of its own day."""
    overrides = decode(record.options.get("overrides", {}))
    known = {
        name: value
        for name, value in record.parameters.items()
        if name in pipeline.parameters and value != HIDDEN and not holds_variable(value)
    }
    still = {name: value for name, value in overrides.items() if _is_known(name, pipeline)}
    fitting = {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if not name.startswith(ENVIRONMENT_PREFIX) or _names_secret(name, pipeline)
    }
    return Layers(environ=fitting, defaults=known, values={**still, **secrets})


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
