"""`mlkit export`: compile a pipeline to the files of an engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.cli.output import print_json
from mlkit.cli.run_options import Given, layers_of, takes_run_options
from mlkit.cli.shared_options import (
    FilesOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunsDirOption,
)
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.engines.registry import names
from mlkit.store.typed_path import typed_path

__all__ = ["export"]


@takes_run_options
def export(
    engine: Annotated[
        str,
        typer.Argument(
            metavar="ENGINE", help=f"Its name: {names()}.", autocompletion=candidates.engines
        ),
    ],
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
    pipeline_file: Annotated[
        Path | None,
        typer.Option(
            "--pipeline-path",
            metavar="FILE",
            help="The pipeline.yaml as the tasks find it (default: where it is here).",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Compile the pipeline to the files of an engine, such as Airflow.

    Each stage becomes one task, which calls mlkit for its notebook, so that caching, artifacts and
    records are the same everywhere; schedule, retries, timeouts, branches and mapping are the
    engine's own. The files need the engine and Python's standard library, nothing else. What the
    engine cannot express is refused with a sentence.

    \b
    Examples
      mlkit export airflow --to dags      put it into Airflow's folder of DAGs
      mlkit export prefect notebooks/flights --to flows -p rows=5000
      mlkit export kubeflow --to compiled --mlkit /opt/mlkit/bin/mlkit
    """
    made = api.export(
        pipeline_path(pipeline),
        engine,
        layers=layers_of(assignments, files),
        runs_dir=runs_dir,
        options=api.run_options(given),
        workers=given.get("workers"),
        mlkit=None if mlkit is None else typed_path(mlkit).absolute(),
        pipeline_path=None if pipeline_file is None else typed_path(pipeline_file).absolute(),
    )
    paths = api.write_export(made, typed_path(to))
    paths += api.compile_export(made, typed_path(to), os.environ)
    entry = typed_path(to).absolute() / made.entry
    if as_json:
        print_json({"engine": engine, "entry": str(entry), "files": [str(path) for path in paths]})
    else:
        typer.echo("\n".join(str(path) for path in paths))
