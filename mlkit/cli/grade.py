"""`mlkit grade`: grade exercise notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlkit.cli.output import print_json, say
from mlkit.cli.shared_options import JsonOption, SolutionsOption
from mlkit.errors import UsageError
from mlkit.grading.batch import Batch, grade_batch
from mlkit.grading.batch_text import remarks, table
from mlkit.observe.layout import terminal_width

__all__ = ["grade"]


def grade(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Notebooks, a folder of them, or a folder per student."
        ),
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where grades and feedback go.")
    ] = Path("grades"),
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, metavar="N", help="How many at once (default: the cores)."
        ),
    ] = None,
    solutions: SolutionsOption = None,
    student: Annotated[
        list[str] | None,
        typer.Option(
            "--student",
            metavar="NAME|PATTERN",
            help="Grade again this student's submissions only (may be repeated, and hold a *); or, "
            "with {student} in it, where the name is in a file's path: '{student}_*_*.ipynb'.",
            show_default=False,
        ),
    ] = None,
    exercise: Annotated[
        list[str] | None,
        typer.Option(
            "--exercise",
            metavar="NAME",
            help="Grade again submissions to this exercise only (may be repeated, and hold a *).",
            show_default=False,
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run other people's code without a sandbox, too.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Grade again what was graded before.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Grade exercise notebooks: grades.csv, grades.json, pages of feedback.

    The code of a submission runs in a sandbox (bubblewrap), and nothing of the folder that you
    work in is code, configuration or solution for the grader. A batch that was stopped goes on
    where it stopped when the command is given again; grades.csv and the pages can be read while it
    runs. A changed submission, exercise or grader is graded again, and nothing else is.

    \b
    Examples
      mlkit grade exercises/05-retries.ipynb    one notebook
      mlkit grade submissions --workers 4       a folder for each student
      mlkit grade download --student '{student}_*_*.ipynb'
      mlkit grade collected --student ann --exercise '05-*'    these again

    Grading again into the same folder replaces the rows of what was graded, and leaves others; what
    it changed is listed in regrades.jsonl. Points and comments of your own belong in manual.csv
    there (student, exercise, check, points, adjust, comment), which no grading touches and 'mlkit
    class return' adds.
    """
    batch = Batch(
        paths=paths,
        out=out,
        solutions=solutions,
        pattern=_pattern(student or []),
        students=[name for name in student or [] if "{" not in name],
        exercises=exercise or [],
        workers=workers,
        trust=trust,
        fresh=fresh,
    )
    document = grade_batch(batch, say)
    folders = [path if path.is_dir() else path.parent for path in paths]
    for remark in remarks(document, out, [Path.cwd(), *map(Path.absolute, folders)]):
        say(remark)
    if as_json:
        print_json(document)
        return
    typer.echo(table(document, terminal_width()))


def _pattern(given: list[str]) -> str | None:
    """The one word among those given that says where names stand."""
    patterns = [word for word in given if "{" in word]
    if len(patterns) > 1:
        raise UsageError(
            "--student has two patterns", remedy="Give one, with {student} in it.", code="E102"
        )
    return patterns[0] if patterns else None
