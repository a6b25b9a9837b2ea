"""`mlkit grade`: grade exercise notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["grade"]


def grade(
    paths: Annotated[
        list[Path], typer.Argument(help="Notebooks, a folder of them, or a folder per student.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for grades and feedback.")] = Path("grades"),
    workers: Annotated[
        int | None, typer.Option(min=1, help="How many at a time (default: processors).")
    ] = None,
    solutions: Annotated[
        Path | None, typer.Option(help="Folder of the solutions (default: this checkout's).")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run other people's code without a sandbox, too.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Grade again what was graded before.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Grade exercise notebooks: grades.csv, grades.json and a feedback page for each.

    A stopped batch goes on where it stopped when the command is given again.
    """
    import json

    from mlkit.grading.batch import Batch, grade_batch

    batch = Batch(
        paths=paths, out=out, solutions=solutions, workers=workers, trust=trust, fresh=fresh
    )
    document = grade_batch(batch, say=lambda text: typer.echo(text, err=True))
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    lost = [s for s in document["submissions"] if s["status"] == "ungradable"]
    for submission in document["submissions"]:
        points = f"{submission['score']} of {submission['max']}"
        typer.echo(f"{submission['student']}\t{submission['exercise']}\t{points}")
    for submission in lost:
        typer.echo(f"ungradable: {submission['path']}: {'; '.join(submission['flags'])}", err=True)
    if document["isolation"] == "limited":
        typer.echo("Graded without a sandbox: bubblewrap is not to be had here.", err=True)
    typer.echo(f"Grades and feedback are in {out}.", err=True)
