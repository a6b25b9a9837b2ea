"""`mlkit edit`: work on a stage's source in JupyterLab, with its real inputs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.cli.output import print_json, say
from mlkit.cli.run_display import observed
from mlkit.cli.run_options import layers_of, run_option
from mlkit.cli.shared_options import (
    OPENS_LAB,
    EnvFileOption,
    FilesOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunsDirOption,
)
from mlkit.cli.which_pipeline import pipeline_path

__all__ = ["edit"]


def edit(
    stage: Annotated[
        str,
        typer.Argument(
            metavar="STAGE",
            help="The stage, or one instance of it: 'STAGE[VALUE]'.",
            autocompletion=candidates.stages,
        ),
    ],
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    files: FilesOption = None,
    env_file: EnvFileOption = None,
    profile: Annotated[str | None, run_option("profile")] = None,
    workers: Annotated[int | None, run_option("workers")] = None,
    runs_dir: RunsDirOption = None,
    browser: Annotated[
        bool, typer.Option(*OPENS_LAB, help="Open the browser, or only say the address.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    r"""Work on a stage's source in JupyterLab, with its real inputs.

    What is upstream of the stage is brought up to date first: only what has changed runs. Then
    the notebook itself opens, with one cell more: the stage's parameters and the paths of its
    inputs, as the pipeline would hand them over. It runs on the same kernel, in a working folder
    of its own; what it writes is thrown away at the end, and no run is touched.

    What you save goes into the notebook's file, and nothing else does: the injected cell is never
    written, and one edited line is one line in `git diff`. Ctrl-C ends JupyterLab.

    \b
    Examples
      mlkit edit train                its notebook, with what it reads made
      mlkit edit 'train[xgboost]'     one instance (of a map, else: the first)
      mlkit edit train -p rows=500    with another parameter
      mlkit edit train --no-open      only print the address
    """
    given = {"profile": profile, "workers": workers}
    options = api.run_options({key: value for key, value in given.items() if value is not None})
    loaded = api.load_pipeline(pipeline_path(pipeline), profile=options.profile)
    with contextlib.ExitStack() as folders:
        with observed() as services:  # its table ends before the server begins
            editing = folders.enter_context(
                api.edit(
                    stage,
                    loaded,
                    layers=layers_of(assignments, files, env_file),
                    runs_dir=runs_dir,
                    options=options,
                    services=services,
                )
            )
        _serve(editing, stage, browser=browser and not as_json, as_json=as_json)


def _serve(editing: api.Editing, asked: str, *, browser: bool, as_json: bool) -> None:
    desk = editing.desk
    shown = Path(os.path.relpath(desk.notebook))
    if desk.stage_id != asked:
        say(f"'{asked}' has several instances; this is the first, {desk.stage_id}.")

    def ready(address: str) -> None:
        if as_json:
            print_json(
                {
                    "url": address,
                    "stage": desk.stage_id,
                    "notebook": str(desk.notebook),
                    "working_folder": str(desk.cwd),
                    "run_id": None if editing.record is None else editing.record.run_id,
                }
            )
        else:
            typer.echo(address)
        say(f"{shown} is open with the inputs of {desk.stage_id}; end it with Ctrl-C.")

    api.open_in_lab(desk.notebook, editing.root, desk=desk, browser=browser, ready=ready)
