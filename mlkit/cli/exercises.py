"""`mlkit exercises`: progress over all exercises."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlkit.cli.output import print_json, say
from mlkit.cli.shared_options import JsonOption
from mlkit.grading.exercise_progress import progress, rows_text
from mlkit.observe.layout import terminal_width

__all__ = ["exercises"]


def exercises(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            help="Your notebooks (default: the folder you are in).",
        ),
    ] = None,
    solutions: Annotated[
        Path | None,
        typer.Option(
            "--solutions", metavar="DIR", help="The solutions' folder (default: mlkit's own)."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Say which exercises you have solved, tried, and not yet tried.

    Your own answers are run; that needs neither a network nor an administrator. In a folder that
    you were given, or that 'mlkit learn DIR' has written, the visible checks are run; where the
    solutions are, as in mlkit's repository, the hidden ones, too.

    \b
    Examples
      mlkit exercises                      those of the folder you are in
      mlkit exercises --folder my-copies   notebooks that are elsewhere
    """
    document = progress(folder, solutions, say)
    if as_json:
        print_json(document)
        return
    typer.echo(rows_text(document, terminal_width()))
    if not document["hidden_checks"]:
        say("These are the checks that you see; your grader may have more.")
