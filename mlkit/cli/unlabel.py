"""`mlkit unlabel`: take a name from its run."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit import api
from mlkit.cli.output import print_json
from mlkit.cli.shared_options import JsonOption, PipelineArgument, RunsDirOption, pipeline_path

__all__ = ["unlabel"]


def unlabel(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a run.")],
    pipeline: PipelineArgument = None,
    *,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Take a name from its run; the run stays, and may be cleaned again.

    \b
    Examples
      mlkit unlabel best
      mlkit unlabel depths    the names of all runs of a sweep
      mlkit unlabel best notebooks/flights
    """
    done = api.unlabel(name, pipeline_path(pipeline), runs_dir=runs_dir)
    if as_json:
        print_json({"taken": [{"label": item.label, "run_id": item.run_id} for item in done]})
        return
    for item in done:
        typer.echo(f"Run {item.run_id} no longer has the name '{item.label}'.")
