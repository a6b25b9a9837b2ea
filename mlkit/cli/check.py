"""`mlkit check`: run the checks of one's own exercise, as it is saved."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit.cli import candidates
from mlkit.cli.output import print_json, say
from mlkit.cli.shared_options import JsonOption
from mlkit.grading.exercise_progress import check_notebooks, checks_text

__all__ = ["check"]


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|NOTEBOOK]...",
            help="Exercises (default: all of the folder you are in).",
            autocompletion=candidates.exercises,
        ),
    ] = None,
    *,
    hint: Annotated[
        int, typer.Option("--hint", min=0, metavar="N", help="Give the first N hints, too.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    r"""Run the checks of your exercises, as the notebooks are saved.

    The same checks that mlkit.check runs in the notebook, from top to bottom in a fresh kernel,
    just as a grader runs them. It needs the folder that you were given, or one that 'mlkit learn
    DIR' has written.

    \b
    Examples
      mlkit check 03-mean-delay             one exercise
      mlkit check 03-mean-delay --hint 1    with a hint
      mlkit check                           all of them

    Exit codes: 0 every check has passed, 1 one has not.
    """
    document = check_notebooks(names or (), hint, say)
    if as_json:
        print_json(document)
    else:
        typer.echo(checks_text(document))
    if not document["passed"]:
        raise typer.Exit(1)
