"""`mlkit exercise`: write an exercise, try it, and hand it out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mlkit.cli import candidates
from mlkit.cli.output import print_json, say
from mlkit.cli.plain_command import PlainCommand
from mlkit.cli.shared_options import JsonOption, command_group
from mlkit.errors import UsageError
from mlkit.grading.authoring.release import release as hand_out
from mlkit.grading.authoring.starting import begin
from mlkit.grading.authoring.trying import report, try_exercises

__all__ = ["check", "group", "new", "release"]

group = command_group()


@group.callback()
def exercise() -> None:
    r"""Write an exercise, try it, and hand it out without its solution.

    Exercises are notebooks in a folder of your own; nothing of mlkit's repository is needed.

    \b
    Examples
      mlkit exercise new 01-mean             begin one, in solutions/
      mlkit exercise check                   does each grade as it should?
      mlkit exercise release --to handout    a folder for learners

    Each of them has a --help of its own, and takes --json.
    """


SolutionsOption = Annotated[
    Path,
    typer.Option("--solutions", metavar="DIR", help="The folder of your solution notebooks."),
]
NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Which exercises (default: all of the folder).",
        autocompletion=candidates.exercises,
    ),
]


@group.command(
    "new", cls=PlainCommand, short_help="Begin an exercise: a solution notebook that works."
)
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The stem of its files: 03-mean-delay.")
    ],
    *,
    solutions: SolutionsOption = Path("solutions"),
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="The notebook's heading.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data", metavar="FILE", help="A file that the exercise works on. May be repeated."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Begin an exercise: a solution notebook that works, and the words beside it.

    NAME.ipynb is the model solution. What a cell is for is said by its tags (answer-…, probe-…,
    check-…, hidden, author), or as a comment in its first line. NAME.yaml holds the sentences that
    learners read, points, data, and answers to try the exercise on. Change both bit by bit.

    \b
    Examples
      mlkit exercise new 01-mean                       in solutions/
      mlkit exercise new 02-delays --data flights.csv  with a file for learners
      mlkit exercise check 01-mean                     then: does it hold?

    Nothing is overwritten: a name that is taken is refused.
    """
    written = begin(name, solutions, title=title, data=data or ())
    if as_json:
        print_json({"name": name, "written": [str(path) for path in written]})
    for path in written:
        say(f"Wrote {path}") if as_json else typer.echo(f"Wrote {path}")
    say(f"Open {written[0]} in JupyterLab and change it; then: mlkit exercise check {name}")


@group.command("check", cls=PlainCommand, short_help="Try exercises before learners do.")
def check(
    names: NamesArgument = None,
    *,
    solutions: SolutionsOption = Path("solutions"),
    update: Annotated[
        bool,
        typer.Option("--update", help="Store what the checks print now as what they should print."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Try exercises before learners do; whatever would go wrong is named with file and line.

    The model solution has full marks and the untouched exercise none; each right answer recorded in
    NAME.yaml or in files of NAME.answers has full marks, too, and each wrong one is caught, with
    its own sentence. No check is passed by what needs no solution, such as `return None`. No
    sentence hides another, or tells what a hidden check expects. Nothing is read that learners do
    not get: no place of this machine, no file or package that is not declared. Graded in the
    sandbox, where there is one.

    \b
    Examples
      mlkit exercise check                  all of solutions/
      mlkit exercise check 01-mean --update after a change of what a check prints
      mlkit exercise check --json           for programs

    Exit codes: 0 all is well, 1 an exercise has problems, 2 none could be tried.
    """
    document = try_exercises(solutions, names or (), update=update, say=say)
    if as_json:
        print_json(document)
    else:
        typer.echo(report(document))
    if not document["ok"]:
        tried = any(exercise["tried"] for exercise in document["exercises"])
        raise typer.Exit(1 if tried else 2)


@group.command("release", cls=PlainCommand, short_help="Hand exercises out, without solutions.")
def release(
    names: NamesArgument = None,
    *,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The folder for learners; or the zip.")
    ],
    solutions: SolutionsOption = Path("solutions"),
    zipped: Annotated[bool, typer.Option("--zip", help="Write DIR.zip instead of DIR.")] = False,
    git: Annotated[
        bool, typer.Option("--git", help="Make DIR a git repository, and commit.")
    ] = False,
    opened: Annotated[
        list[str] | None,
        typer.Option(
            "--open",
            metavar="NAME",
            help="Let learners see this exercise's model answers from now on. May be repeated.",
        ),
    ] = None,
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="The heading of the README.")
    ] = "Exercises",
    as_json: JsonOption = False,
) -> None:
    r"""Hand exercises out: without solutions, with data, README and environment.

    In the folder 'mlkit exercises' and 'mlkit check' work, and mlkit.check in the notebooks. Hidden
    checks are not in it. Model answers are in it only for what --open names, and mlkit.check shows
    them after an attempt. A README.md beside your solutions takes the place of the usual one.

    \b
    Examples
      mlkit exercise release --to handout            all of solutions/
      mlkit exercise release 01-mean --to handout    one; what is there stays
      mlkit exercise release --to week-1 --zip       week-1.zip
      mlkit exercise release --to handout --git      commit it
      mlkit exercise release --to handout --open 01-mean

    Handing out again brings the folder up to date. What was changed in it since is not overwritten,
    but refused.
    """
    if zipped and git:
        raise UsageError(
            "--zip and --git exclude each other", remedy="Call it once for each.", code="E102"
        )
    form: Literal["folder", "zip", "git"] = "zip" if zipped else "git" if git else "folder"
    document = hand_out(solutions, to, names or (), form=form, opened=opened or (), title=title)
    if as_json:
        print_json(document)
        return
    typer.echo(written_text(document))


def written_text(document: dict[str, object]) -> str:
    """What became of a handout, in a line or two."""
    new, changed = document["new"], document["changed"]
    assert isinstance(new, list)
    assert isinstance(changed, list)
    if not new and not changed:
        return f"{document['to']} is as it was: nothing has changed."
    counts = [f"{len(new)} new"] * bool(new) + [f"{len(changed)} changed"] * bool(changed)
    return f"Wrote {document['to']} ({' and '.join(counts)} files)."
