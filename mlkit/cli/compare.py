"""`mlkit compare`: two runs side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit.cli.options import JsonOption, PipelineArgument, RunsDirOption, pipeline_path
from mlkit.cli.output import print_json

__all__ = ["compare"]


def compare(
    left: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id, the start of one, or latest.")
    ],
    right: Annotated[str, typer.Argument(metavar="RUN", help="Another one.")],
    pipeline: PipelineArgument = None,
    *,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Compare two runs: parameters, code, artifacts, metrics.

    Code is compared cell by cell, artifacts by their digests, metrics by their difference. It
    answers the question why two runs did not come out the same.

    \b
    Examples
      mlkit runs                          which runs there are
      mlkit compare 20260101-12 latest    an earlier one and the latest
    """
    from mlkit import api
    from mlkit.observe.layout import terminal_width
    from mlkit.reports.comparison import compare_runs

    folder = api.runs_folder(pipeline_path(pipeline), runs_dir)
    comparison = compare_runs(
        api.find_run(left, folder, files=True), api.find_run(right, folder, files=True)
    )
    if as_json:
        print_json(comparison.to_json())
    else:
        typer.echo(comparison.to_text(terminal_width()))
