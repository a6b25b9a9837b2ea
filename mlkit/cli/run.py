"""`mlkit run`: run a pipeline."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.cli.run_display import exit_code, observed, show_end
from mlkit.cli.run_options import Given, layers_of, takes_run_options
from mlkit.cli.shared_options import (
    EnvFileOption,
    FilesOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    ReportOption,
    RunsDirOption,
    VerboseOption,
)
from mlkit.cli.watch_display import watch_pipeline
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.driver.options import NOT_OFFERED, flag
from mlkit.engines.registry import names
from mlkit.errors import UsageError

__all__ = ["run"]


@takes_run_options
def run(
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    files: FilesOption = None,
    env_file: EnvFileOption = None,
    given: Given,
    report: ReportOption = False,
    runs_dir: RunsDirOption = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="ENGINE",
            help=f"Run it on {names(that_run=True)}, in that engine's own environment.",
            show_default=False,
            autocompletion=candidates.engines_that_run,
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="URL",
            help="With --on: the engine's server that is to run it.",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Stay, and run again at every save what it affects, until Ctrl-C.",
        ),
    ] = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Run a pipeline: only what has changed runs, the rest is reused.

    A whole run that succeeds becomes latest, which notebooks opened by hand read, unless it had
    values or a profile of its own; its last line then says so. See 'mlkit promote --help'.

    \b
    Examples
      mlkit run                              the pipeline of this folder
      mlkit run -p rows=5000 --report        another parameter, and a report
      mlkit run --until features             one stage and its upstream
      mlkit run --force train                one stage again, though unchanged
      mlkit run --watch                      again at every save, until Ctrl-C
      mlkit run --on airflow                 the same notebooks, run by Airflow
      mlkit run --runs-dir s3://bucket/runs  results shared with other machines
      mlkit run --executor dask://host:8786  on the workers of a Dask cluster

    Exit codes: 0 succeeded, 1 a stage failed, 2 a mistake found before anything ran,
    130 interrupted. With --watch: 0 stopped between two rounds, 130 in a round.
    """
    path = pipeline_path(pipeline)
    if watch:
        if on is not None or host is not None:
            raise UsageError(
                "--watch runs here, and --on on an engine",
                remedy="Leave out one of them; an engine has its own schedule",
                code="E102",
            )
        watch_pipeline(
            path,
            assignments=assignments,
            files=files,
            env_file=env_file,
            given=given,
            runs_dir=runs_dir,
            report=report,
            verbose=verbose,
            as_json=as_json,
        )
    if on is not None or host is not None:
        _check_engine_options(on, given)
    options, layers = api.run_options(given), layers_of(assignments, files, env_file)
    early = nullcontext() if on else api.early_kernels(path, runs_dir, options)
    with early as ahead, observed() as services:
        loaded = api.load_pipeline(path, profile=options.profile)
        if on is not None:
            record = api.run_on(
                loaded,
                on,
                layers=layers,
                options=options,
                runs_dir=runs_dir,
                services=services,
                host=host,
                workers=given.get("workers"),
            )
        else:
            record = api.run(
                loaded,
                layers=layers,
                options=options,
                runs_dir=runs_dir,
                services=replace(services, ahead=ahead),
            )
    task = options.only if options.run_id is not None else None
    show_end(record, loaded, report=report, verbose=verbose, as_json=as_json, joined=task)
    raise typer.Exit(exit_code(record, task))


def _check_engine_options(on: str | None, given: Given) -> None:
    """Refuse what goes with one process only, before anything runs."""
    if on is None:
        raise UsageError(
            "--host goes with --on", remedy="Name the engine: --on kubeflow", code="E102"
        )
    for name, reason in NOT_OFFERED["run --on"].items():
        if name in given:
            raise UsageError(
                f"{flag(name)} does not go with --on: {reason}",
                remedy="Leave it out, or run here without --on",
                code="E102",
            )
