"""`mlkit runs`: the history."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.cli.shared_options import JsonOption, PipelineArgument, RunsDirOption, pipeline_path
from mlkit.observe.layout import terminal_width
from mlkit.reports.listing import run_json, runs_text

__all__ = ["runs"]


def runs(
    pipeline: PipelineArgument = None,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, help="List at most so many.")] = 20,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""List the runs, the newest first.

    When each was, how long it took, and how its stages ended: STAGES says how many there were, and
    how many did not simply succeed. Other commands take an id from here, the start of one if no
    other starts so, or latest.

    \b
    Examples
      mlkit runs                                the newest 20 of this pipeline
      mlkit runs notebooks/flights --limit 5    the newest 5 of another one
    """
    folder = api.runs_folder(pipeline_path(pipeline), runs_dir)
    found = list(reversed(api.list_runs(runs_dir=folder)))
    shown = found[:limit]
    if as_json:
        print_json({"runs_dir": str(folder), "runs": [run_json(record) for record in shown]})
        return
    typer.echo(runs_text(shown, terminal_width()))
    if len(found) > limit:
        say(f"and {len(found) - limit} older: mlkit runs --limit {len(found)}")
