"""`mlkit label`: name a run."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit import api
from mlkit.cli.output import print_json
from mlkit.cli.shared_options import JsonOption, PipelineArgument, RunArgument, RunsDirOption
from mlkit.cli.which_pipeline import pipeline_path

__all__ = ["label"]


def label(
    run: RunArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the run is to be called.")],
    pipeline: PipelineArgument = None,
    *,
    move: Annotated[
        bool, typer.Option("--move", help="Take the name from the run that has it.")
    ] = False,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Name a run: the name is usable wherever RUN is, and keeps the run.

    A run may have several names, and a name belongs to one run: 'mlkit run --name' gives one to a
    run that begins, this command to any other. A name that another run has is refused, unless
    --move is given. 'mlkit clean' never removes a run that has a name. Its files are also found
    below runs/labels/NAME.

    A name consists of letters, digits and . _ - +. It may not read as an id, or mean something
    else, such as latest.

    \b
    Examples
      mlkit label latest best
      mlkit label 20260101-12 best --move    another run is the best one now
      mlkit compare best latest
      mlkit unlabel best
    """
    path = pipeline_path(pipeline)
    done = api.label(run, name, path, runs_dir=runs_dir, moves=move)
    if as_json:
        print_json({"label": done.label, "run_id": done.run_id, "moved_from": done.had})
        return
    was = f"; run {done.had} has it no longer" if done.had else ""
    typer.echo(f"Run {done.run_id} has the name '{done.label}'{was}.")
