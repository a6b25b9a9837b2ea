"""`mlkit resume`: finish a run that was killed or has failed."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.cli.output import say
from mlkit.cli.run_display import exit_code, observed, observed_aside, show_end
from mlkit.cli.run_options import Given, environment_of, takes_run_options
from mlkit.cli.shared_options import (
    EnvFileOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    ReportOption,
    RunsDirOption,
    VerboseOption,
    parallel_option,
)
from mlkit.cli.sweep_display import show_sweep, sweep_code
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.errors import UsageError

__all__ = ["resume"]


@takes_run_options
def resume(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run's id, the start of one, its name, or a sweep's.",
            autocompletion=candidates.runs,
        ),
    ],
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    env_file: EnvFileOption = None,
    given: Given,
    on: Annotated[str | None, typer.Option("--on", hidden=True)] = None,
    parallel: Annotated[int | None, parallel_option("as the sweep had; for sweeps only")] = None,
    report: ReportOption = False,
    verbose: VerboseOption = False,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Finish a run that was killed or has failed.

    It keeps its own parameters, and takes today's code; finished stages are not repeated. Secrets
    are in no record: give them again with -p, in the environment, or by --env-file.

    Of a sweep, runs that failed or were stopped are resumed, and those that never began are made.

    \b
    Examples
      mlkit resume 20260101-12                the run whose id begins so
      mlkit resume 20260101-12 --workers 1    one stage at a time, to see more
      mlkit resume depths                     a sweep, or a run of that name
      mlkit resume depths --parallel 4        four runs of the sweep at once
    """
    if on is not None:
        raise UsageError(
            "a run is resumed here, also one that an engine has begun: --on does not go with it",
            remedy=f"'mlkit run --on {on}' makes another run there, and reuses what this one has",
            code="E102",
        )
    loaded = api.load_pipeline(pipeline_path(pipeline), profile=given.get("profile"))
    secrets = [api.read_assignment(loaded, text) for text in assignments or ()]
    group = api.find_sweep(run, runs_dir or api.runs_folder(loaded))
    if group is not None:
        made = api.resume_sweep(
            group,
            loaded,
            runs_dir=runs_dir,
            environ=environment_of(env_file),
            secrets={item.name: item.value for item in secrets},
            changes=given,
            observed=observed,
            aside=observed_aside,
            say=say,
            parallel=parallel,
        )
        show_sweep(group, made, as_json=as_json)
        raise typer.Exit(sweep_code(made))
    if parallel is not None:
        raise UsageError(
            f"--parallel says how many runs of a sweep are made at once, and '{run}' is no sweep",
            remedy="Leave it out, or give --workers N, the number of stages at once",
            code="E102",
        )
    with observed() as services:
        record = api.resume(
            run,
            loaded,
            runs_dir=runs_dir,
            parameters={item.name: item.value for item in secrets},
            services=services,
            options=given,
            environ=environment_of(env_file),
        )
    show_end(record, loaded, report=report, verbose=verbose, as_json=as_json)
    raise typer.Exit(exit_code(record))
