"""`mlkit init`: a first pipeline in a folder of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mlkit.beginning.project import begin, notebooks_in
from mlkit.cli.output import print_json, say
from mlkit.cli.shared_options import JsonOption

__all__ = ["init"]


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder, or one without a pipeline.")
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    r"""Write a first pipeline of your own: two small notebooks that run at once.

    With them come a test, a README, a .gitignore, and a workflow for GitHub. Nothing that
    is in the folder is changed; called again, it adds what is missing. Of notebooks that are there
    already 'mlkit convert' makes a pipeline.

    \b
    Examples
      mlkit init weather
      cd weather
      mlkit run                     run it: two stages, a few seconds
      mlkit add summary --in fit.metrics --out summary.md
    """
    others = notebooks_in(folder)
    begun = begin(folder)
    for name in begun.kept:
        say(f"There already: {name}")
    if as_json:
        print_json({"folder": str(folder), "written": begun.written, "kept": begun.kept})
        return
    for name in begun.written:
        typer.echo(f"Written: {(folder / name).as_posix()}")
    place = shlex.quote(str(folder))
    if others:
        named = " ".join(shlex.quote((folder / name).as_posix()) for name in others)
        typer.echo(f"To make a pipeline of what was there: mlkit convert {named} --to NEW_FOLDER")
    typer.echo(f"Run it: cd {place} && mlkit run --report" if place != "." else "Run it: mlkit run")
