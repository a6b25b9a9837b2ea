"""`mlkit unlabel`: take a name from its run."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.cli.output import print_json
from mlkit.cli.shared_options import JsonOption, RunsDirOption
from mlkit.cli.which_pipeline import pipeline_path, without_pipeline
from mlkit.errors import UsageError

__all__ = ["unlabel"]


def unlabel(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN] NAME [PIPELINE]",
            help="The name of a run; before it, if you like, the run. Then a pipeline.yaml or its "
            "folder.",
            show_default=False,
            autocompletion=candidates.labels,
        ),
    ],
    *,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Take a name from its run; the run stays, and may be cleaned again.

    \b
    Examples
      mlkit unlabel best
      mlkit unlabel latest best    only if latest has it
      mlkit unlabel depths    the names of all runs of a sweep
      mlkit unlabel best notebooks/flights
    """
    names, place = without_pipeline(words, least=1)
    if len(names) > 2:
        raise UsageError(
            "one name is taken away at a time",
            remedy="mlkit unlabel NAME, or mlkit unlabel RUN NAME",
        )
    run = names[0] if len(names) == 2 else None
    done = api.unlabel(names[-1], pipeline_path(place), run=run, runs_dir=runs_dir)
    if as_json:
        print_json({"taken": [{"label": item.label, "run_id": item.run_id} for item in done]})
        return
    for item in done:
        typer.echo(f"Run {item.run_id} no longer has the name '{item.label}'.")
