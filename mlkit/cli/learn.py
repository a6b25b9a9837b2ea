"""`mlkit learn`: mlkit's own lessons and exercises, to work in."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mlkit.cli.exercise import written_text
from mlkit.cli.output import print_json, say
from mlkit.cli.shared_options import JsonOption
from mlkit.grading.authoring.release import learners_kit

__all__ = ["learn"]


def learn(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder, or one that this has written.")
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    r"""Write mlkit's lessons and exercises into a folder of your own.

    They come without solutions, out of the installed package; no repository and no network is
    needed. Called again with the same folder it brings the lessons up to date, and leaves alone
    what you have changed.

    \b
    Examples
      mlkit learn pipelines
      cd pipelines && jupyter lab notebooks/00-start-here.ipynb
      mlkit check 01-dags                   in that folder: one exercise
      mlkit exercises                       your progress
    """
    document = learners_kit(folder)
    for name in document["kept"]:
        say(f"Left as you have it: {name}")
    if as_json:
        print_json(document)
        return
    typer.echo(written_text(document))
    place = shlex.quote(str(folder))
    typer.echo(f"Begin with: cd {place} && jupyter lab notebooks/00-start-here.ipynb")
