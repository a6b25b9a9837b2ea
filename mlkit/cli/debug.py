"""`mlkit debug`: open a stage's notebook of a run in JupyterLab, with its inputs injected."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.cli.run_options import environment_of
from mlkit.cli.shared_options import (
    EnvFileOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunArgument,
    RunsDirOption,
    pipeline_path,
)

__all__ = ["debug"]


def debug(
    run: RunArgument,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="The stage, or STAGE[VALUE].")],
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    env_file: EnvFileOption = None,
    launch: Annotated[
        bool, typer.Option("--open/--no-open", help="Open JupyterLab, or only write the notebook.")
    ] = True,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Open a stage's notebook of a run in JupyterLab, inputs injected.

    The copy lies in the runs folder: change and run it as you like, neither the pipeline nor the
    run is touched. Outputs go to a folder beside the copy. Secrets are taken from the environment,
    --env-file, or from -p.

    \b
    Examples
      mlkit debug latest evaluate                one stage of the latest run
      mlkit debug 20260101-12 'train[xgboost]'   one instance of a mapped stage
      mlkit debug latest evaluate --no-open      only write the copy
    """
    loaded = api.load_pipeline(pipeline_path(pipeline))
    assigned = [api.read_assignment(loaded, text) for text in assignments or ()]
    given = {item.name: item.value for item in assigned}
    copy = api.debug_notebook(
        run,
        stage,
        loaded,
        runs_dir=runs_dir,
        parameters=given,
        environ=environment_of(env_file),
    )
    opens = launch and not as_json and sys.stdout.isatty()
    if as_json:
        print_json({"notebook": str(copy)})
    else:
        typer.echo(f"{copy}")
    if opens:
        api.open_in_lab(copy, copy.parent, ready=_told)


def _told(address: str) -> None:
    """Where there is no browser, the address is the way in."""
    say(f"JupyterLab is open at {address}; end it with Ctrl-C.")
