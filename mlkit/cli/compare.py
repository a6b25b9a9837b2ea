"""`mlkit compare`: two runs side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit import api
from mlkit.cli.output import print_json
from mlkit.cli.shared_options import (
    JsonOption,
    PipelineArgument,
    RunArgument,
    RunsDirOption,
    pipeline_path,
)
from mlkit.observe.layout import terminal_width

__all__ = ["compare"]


def compare(
    left: RunArgument,
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
    folder = api.runs_folder(pipeline_path(pipeline), runs_dir)
    comparison = api.compare(left, right, folder)
    if as_json:
        print_json(comparison.to_json())
    else:
        typer.echo(comparison.to_text(terminal_width()))
