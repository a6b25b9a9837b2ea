"""`mlkit resume`: finish a run that was killed or has failed."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit.cli.options import (
    EnvFileOption,
    Given,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    ReportOption,
    RunsDirOption,
    VerboseOption,
    environment_of,
    pipeline_path,
    takes_run_options,
)
from mlkit.cli.running import exit_code, observed, show_end

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
    r"""Finish a run with its own parameters and today's code; finished stages are not repeated.

    Secrets stand in no record: give them again with -p, in the environment, or by --env-file.

    \b
    Examples
      mlkit resume 20260101-12                the run whose id begins so
      mlkit resume 20260101-12 --workers 1    one stage at a time, to see more
    """
    from mlkit import api
    from mlkit.load.parameters import read_assignment

    loaded = api.load_pipeline(pipeline_path(pipeline), profile=given.get("profile"))
    secrets = [read_assignment(loaded, text) for text in assignments or ()]
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
