"""`mlkit run`: run a pipeline."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from mlkit.cli.options import (
    ExecutorOption,
    FilesOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunsDirOption,
    StartOption,
    StoreOption,
    WorkersOption,
)

if TYPE_CHECKING:
    from mlkit.driver.options import RunOptions

__all__ = ["run"]

ALL_STAGES = "*"


def run(
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    files: FilesOption = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="STAGE", help="Run this stage and what is upstream of it."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="STAGE",
            help="Run this stage alone, on the latest artifacts of its upstream.",
        ),
    ] = None,
    force: Annotated[
        list[str] | None,
        typer.Option(
            "--force",
            metavar="[STAGE]",
            help="Run all stages, or this one, even if unchanged. May be repeated.",
            show_default=False,
        ),
    ] = None,
    workers: WorkersOption = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop everything at the first failure.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check reused artifacts by digest, not at a glance.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write the run's HTML report and say where it is.")
    ] = False,
    start: StartOption = "fork",
    runs_dir: RunsDirOption = None,
    store: StoreOption = None,
    executor: ExecutorOption = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id",
            metavar="ID",
            help="With --only: join (or open) this run. Exit code 99: the stage was skipped. "
            "This is what an orchestrator's task calls.",
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="ENGINE",
            help="Run it on airflow, kubeflow or prefect, in that engine's own environment.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="URL",
            help="With --on: the engine's server that shall run it.",
            show_default=False,
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the tracebacks of failed notebooks.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Run a pipeline: only what has changed runs, the rest is reused.

    \b
    Examples
      mlkit run                              the pipeline of this folder
      mlkit run -p rows=5000 --report        another parameter, and a report
      mlkit run --until features             one stage and its upstream
      mlkit run --force train                one stage again, though unchanged
      mlkit run --on airflow                 the same notebooks, run by Airflow
      mlkit run --runs-dir s3://bucket/runs  results shared with other machines
      mlkit run --executor dask://host:8786  on the workers of a Dask cluster

    Exit codes: 0 succeeded, 1 a stage failed, 2 a mistake found before anything ran,
    130 interrupted.
    """
    from mlkit import api
    from mlkit.cli.options import layers_of, pipeline_path
    from mlkit.cli.running import early_kernels, exit_code, observed, show_end

    path = pipeline_path(pipeline)
    options = _options(
        until=until,
        only=only,
        force=force,
        fail_fast=fail_fast,
        verify=verify,
        start=start,
        run_id=run_id,
        store=store,
        executor=executor or "threads",
    )
    if on is not None or host is not None:
        _check_engine_options(on, options)
    early = early_kernels(path, runs_dir, options) if on is None else nullcontext()
    with early as ahead, observed() as services:
        loaded = api.load_pipeline(path)
        if on is not None:
            from mlkit.api.engines import run_on

            record = run_on(
                loaded,
                on,
                layers=layers_of(assignments, files),
                options=replace(options, workers=workers or api.default_workers()),
                runs_dir=runs_dir,
                services=services,
                host=host,
            )
        else:
            record = api.run(
                loaded,
                layers=layers_of(assignments, files),
                options=options,
                workers=workers or api.default_workers(options.executor),
                runs_dir=runs_dir,
                services=replace(services, ahead=ahead),
            )
    task = only if run_id is not None else None
    show_end(record, loaded, report=report, verbose=verbose, as_json=as_json, joined=task)
    raise typer.Exit(exit_code(record, task))


def _options(*, force: list[str] | None, **rest: object) -> RunOptions:
    from typing import Any

    from mlkit.driver.options import RunOptions

    chosen: Any = bool(force) if not force or ALL_STAGES in force else frozenset(force)
    fields: Any = rest
    return RunOptions(force=chosen, **fields)


def _check_engine_options(on: str | None, options: RunOptions) -> None:
    """Refuse what goes with one process only, before anything runs."""
    from mlkit.errors import UsageError

    if on is None:
        raise UsageError("--host goes with --on", remedy="Name the engine: --on kubeflow")
    for name in ("until", "only", "run_id", "fail_fast"):
        if getattr(options, name):
            raise UsageError(
                f"--{name.replace('_', '-')} does not go with --on: the engine runs the whole "
                "pipeline",
                remedy="Leave it out, or run here without --on",
            )
    if options.executor != "threads":
        raise UsageError(
            "--executor does not go with --on: the engine places the work",
            remedy="Leave one of them out",
        )
    if options.store is not None:
        raise UsageError(
            "--store does not go with --on: the engine's tasks read their own environment",
            remedy="Set MLKIT_STORE instead",
        )
