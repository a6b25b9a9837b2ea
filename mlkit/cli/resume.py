"""`mlkit resume`: finish a run that was killed or has failed."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit import api
from mlkit.cli.run_display import exit_code, observed, show_end
from mlkit.cli.run_options import Given, environment_of, takes_run_options
from mlkit.cli.shared_options import (
    EnvFileOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    ReportOption,
    RunsDirOption,
    VerboseOption,
    pipeline_path,
)

__all__ = ["resume"]


@takes_run_options
def resume(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id or the start of one: see mlkit runs.")
    ],
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    env_file: EnvFileOption = None,
    given: Given,
    report: ReportOption = False,
    verbose: VerboseOption = False,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Finish a run that was killed or has failed.

    It keeps its own parameters, and takes today's code; finished stages are not repeated. Secrets
    stand in no record: give them again with -p, in the environment, or by --env-file.

    \b
    Examples
      mlkit resume 20260101-12                the run whose id begins so
      mlkit resume 20260101-12 --workers 1    one stage at a time, to see more
    """
    loaded = api.load_pipeline(pipeline_path(pipeline), profile=given.get("profile"))
    secrets = [api.read_assignment(loaded, text) for text in assignments or ()]
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
