"""`mlkit resume`: finish a run that was killed or has failed."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from mlkit.cli.options import (
    ExecutorOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunsDirOption,
    StoreOption,
    WorkersOption,
)

__all__ = ["resume"]


def resume(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id or the start of one: see mlkit runs.")
    ],
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    workers: WorkersOption = None,
    start: Annotated[
        Literal["fork", "spawn"] | None,
        typer.Option("--start", help="How kernels start (default: as in that run)."),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Write the run's HTML report and say where it is.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the tracebacks of failed notebooks.")
    ] = False,
    runs_dir: RunsDirOption = None,
    store: StoreOption = None,
    executor: ExecutorOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Finish a run with its own parameters and today's code; finished stages are not repeated.

    Secrets stand in no record: give them again with -p or in the environment.

    \b
    Examples
      mlkit resume 20260101-12                the run whose id begins so
      mlkit resume 20260101-12 --workers 1    one stage at a time, to see more
    """
    from mlkit import api
    from mlkit.cli.options import pipeline_path
    from mlkit.cli.running import exit_code, observed, show_end
    from mlkit.load.parameters import read_assignment

    loaded = api.load_pipeline(pipeline_path(pipeline))
    given = [read_assignment(loaded, text) for text in assignments or ()]
    with observed() as services:
        record = api.resume(
            run,
            loaded,
            runs_dir=runs_dir,
            parameters={item.name: item.value for item in given},
            workers=workers,
            services=services,
            start=start,
            options={k: v for k, v in (("store", store), ("executor", executor)) if v},
        )
    show_end(record, loaded, report=report, verbose=verbose, as_json=as_json)
    raise typer.Exit(exit_code(record))
