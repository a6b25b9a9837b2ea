"""`mlkit show`: one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlkit.cli.options import InstancesOption, JsonOption, PipelineArgument, RunsDirOption

__all__ = ["show"]


def show(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id, the start of one, or latest.")
    ],
    pipeline: PipelineArgument = None,
    *,
    instances: InstancesOption = False,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Show one run: how it ended, what to do next, its stages and their outputs.

    Status, attempts, CPU seconds and the highest memory of each stage, the reason why it ran or was
    reused, and each artifact with its size and digest. --json prints the whole record.

    \b
    Examples
      mlkit show latest
      mlkit show latest --instances      each instance on its own line
      mlkit show 20260101-12 --json      the run whose id begins so, as a document
    """
    from mlkit import api
    from mlkit.cli.options import pipeline_path
    from mlkit.cli.output import print_json
    from mlkit.observe.layout import terminal_width
    from mlkit.reports.listing import show_text

    record = api.find_run(run, api.runs_folder(pipeline_path(pipeline), runs_dir))
    if as_json:
        print_json(record.to_full_json())
    else:
        folder = Path.cwd()
        typer.echo(show_text(record, folder=folder, width=terminal_width(), instances=instances))
