"""`mlkit export`: compile a pipeline to the files of an engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlkit.cli.options import (
    FilesOption,
    Given,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunsDirOption,
    layers_of,
    pipeline_path,
    takes_run_options,
)
from mlkit.cli.output import print_json

__all__ = ["export"]


@takes_run_options
def export(
    engine: Annotated[str, typer.Argument(metavar="ENGINE", help="Its name, such as airflow.")],
    pipeline: PipelineArgument = None,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder for the files.")],
    assignments: ParametersOption = None,
    files: FilesOption = None,
    given: Given,
    runs_dir: RunsDirOption = None,
    mlkit: Annotated[
        Path | None,
        typer.Option(
            "--mlkit",
            metavar="FILE",
            help="The mlkit that the tasks call, where they run (default: this one).",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Compile the pipeline to files that the engine runs: one task for each stage.

    Each task calls mlkit for one notebook, so that caching, artifacts and records are the same
    everywhere; schedule, retries, timeouts, branches and mapping are the engine's own. The files
    need the engine and Python's standard library, nothing else. What the engine cannot express is
    refused with a sentence.

    \b
    Examples
      mlkit export airflow --to dags      put it into Airflow's folder of DAGs
      mlkit export prefect notebooks/flights --to flows -p rows=5000
      mlkit export kubeflow --to compiled --mlkit /opt/mlkit/bin/mlkit
    """
    from mlkit import api
    from mlkit.api.engines import compile_export, write_export
    from mlkit.api.engines import export as compile_to

    made = compile_to(
        pipeline_path(pipeline),
        engine,
        layers=layers_of(assignments, files),
        runs_dir=runs_dir,
        options=api.run_options(given),
        mlkit=None if mlkit is None else mlkit.expanduser().absolute(),
    )
    paths = write_export(made, to.expanduser())
    paths += compile_export(made, to.expanduser(), os.environ)
    entry = to.expanduser().absolute() / made.entry
    if as_json:
        print_json({"engine": engine, "entry": str(entry), "files": [str(path) for path in paths]})
    else:
        typer.echo("\n".join(str(path) for path in paths))
