"""`mlkit exercises`: progress over all exercises."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["exercises"]


def exercises(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Your notebooks (default: exercises).")
    ] = None,
    *,
    solutions: Annotated[
        Path | None, typer.Option(help="Folder of the solutions (default: this checkout's).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say which exercises you have solved, tried, and not yet tried."""
    import json

    from mlkit.grading.progress import progress

    document = progress(folder, solutions, say=lambda text: typer.echo(text, err=True))
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    signs = {"solved": "✓ solved", "attempted": "✗ attempted", "not_attempted": "· not attempted"}
    for row in document["exercises"]:
        points = f"{row['score']} of {row['max']}"
        status = signs.get(row["status"], row["status"])
        typer.echo(f"{status:<17} {points:>9}  {row['name']}: {row['title']}")
