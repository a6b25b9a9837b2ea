"""`mlkit class`: collect what a class handed in, return grades, learn from them, ask questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlkit.cli.output import print_json, say
from mlkit.cli.plain_command import PlainCommand
from mlkit.cli.shared_options import JsonOption, SolutionsOption, command_group
from mlkit.errors import UsageError
from mlkit.grading.batch_text import printable
from mlkit.grading.classroom.collect import WAYS, Collecting
from mlkit.grading.classroom.collect import collect as collect_all
from mlkit.grading.classroom.gradebook import read_gradebook
from mlkit.grading.classroom.handback import Handback, give_back
from mlkit.grading.classroom.in_words import take_marks, write_sheets
from mlkit.grading.classroom.lateness import (
    Deadlines,
    parse_dues,
    parse_late_rule,
    parse_zone,
    read_extensions,
    read_times,
)
from mlkit.grading.classroom.learning import learn_from, learning_text
from mlkit.grading.classroom.roster import Roster, read_roster
from mlkit.grading.classroom.told import collection_text
from mlkit.grading.quiz.bank import kit_questions, read_bank
from mlkit.grading.quiz.handing_out import FORMS, write_questions
from mlkit.grading.submissions import find_solutions, load_exercises
from mlkit.observe.layout import counted, paragraph, terminal_width
from mlkit.reports.class_page import render_class_page
from mlkit.reports.page_file import write_text

__all__ = ["collect", "group", "hand_back", "quiz", "stats", "written"]

group = command_group()


@group.callback()
def class_() -> None:
    r"""Collect what a class handed in, return grades, and learn from them.

    The week of a teacher, on files, without a server: docs/teaching-a-class.md describes all of it.

    \b
    Examples
      mlkit class collect download.zip --roster roster.csv
      mlkit grade collected
      mlkit class written grades
      mlkit class return grades
      mlkit class stats grades
      mlkit class quiz 5 --form moodle

    Each of them has a --help of its own, and takes --json.
    """


@group.command(
    "collect", cls=PlainCommand, short_help="Collect what was handed in, one folder a student."
)
def collect(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="What the platform gave you: folders, zips, notebooks."
        ),
    ],
    *,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Where the collection goes.")
    ] = Path("collected"),
    roster: Annotated[
        Path | None,
        typer.Option(
            "--roster",
            metavar="CSV",
            help="The class: columns student, name, email, section, group, canvas_id, "
            "sis_user_id, login, moodle_id, brightspace_id, github. An export of Canvas, Moodle, "
            "Brightspace or GitHub Classroom will do.",
            show_default=False,
        ),
    ] = None,
    student: Annotated[
        str | None,
        typer.Option(
            "--student",
            metavar="PATTERN",
            help="Where names are in paths, as in '{student}/**' or "
            "'{student}_{exercise}_{attempt}.ipynb'; also {time}.",
            show_default=False,
        ),
    ] = None,
    which: Annotated[
        str,
        typer.Option(
            "--which",
            metavar="WHICH",
            help="Which of several counts: last, first, on-time (the last in time, else the "
            "earliest), best (all are graded).",
        ),
    ] = "last",
    due: Annotated[
        list[str] | None,
        typer.Option(
            "--due",
            metavar="[EXERCISE=]TIME",
            help="When it is due: 2026-10-01 (the end of that day), 2026-10-01T23:59+02:00. "
            "May be repeated.",
            show_default=False,
        ),
    ] = None,
    late: Annotated[
        str,
        typer.Option(
            "--late",
            metavar="RULE",
            help="What being late costs, of the points earned: none, zero, '10%', '10% per day', "
            "'2% per hour up to 50%'.",
        ),
    ] = "none",
    grace: Annotated[
        str, typer.Option("--grace", metavar="TIME", help="How late is not late yet: 15m, 2h.")
    ] = "0s",
    extensions: Annotated[
        Path | None,
        typer.Option(
            "--extensions",
            metavar="CSV",
            help="Who has longer: columns student, due, exercise (may be empty).",
            show_default=False,
        ),
    ] = None,
    times: Annotated[
        Path | None,
        typer.Option(
            "--times",
            metavar="CSV",
            help="When things came, where the download does not say: columns student, time, "
            "exercise. GitHub Classroom's grades and Moodle's worksheet will do.",
            show_default=False,
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            metavar="NAME",
            help="The zone of times that name none (default: this computer's).",
            show_default=False,
        ),
    ] = None,
    solutions: SolutionsOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Collect what was handed in: one folder a student, and a list of all that is odd.

    Downloads of Canvas, Moodle and Brightspace, git-classroom's and nbgrader's folders, folders
    and zips by student, and zips in zips are known by their names. Nothing in an archive is ever
    written under its own name. What is not understood is listed, each with what to do about it.
    Collecting again adds; the same path again replaces what came from it.

    \b
    Examples
      mlkit class collect submissions.zip --roster roster.csv
      mlkit class collect hw5/ --due 2026-10-01 --late '10% per day up to 50%'
      mlkit class collect flat/ --student '{student}-{attempt}.ipynb' --which best
    """
    one = _one_of("--which", which, WAYS)
    zone = parse_zone(timezone)
    known = load_exercises(find_solutions(solutions))
    people = read_roster(roster) if roster else Roster()
    longer = read_extensions(extensions, people, list(known), zone) if extensions else {}
    document = collect_all(
        Collecting(
            paths=paths,
            out=to,
            exercises=known,
            roster=people,
            pattern=student,
            which=one,  # type: ignore[arg-type]  # it is one of them
            deadlines=Deadlines(
                by_exercise=parse_dues(due or [], list(known), zone),
                extensions=longer,
                rule=parse_late_rule(late, grace),
            ),
            times=read_times(times, zone) if times else (),
            zone=zone,
        )
    )
    if as_json:
        print_json(document)
        return
    typer.echo(collection_text(document, terminal_width()))


GradesArgument = Annotated[
    Path, typer.Argument(metavar="GRADES", help="The folder that 'mlkit grade' wrote.")
]
CollectedOption = Annotated[
    Path | None,
    typer.Option(
        "--collected",
        metavar="DIR",
        help="The folder of 'class collect' (default: the one that was graded, if it is one).",
        show_default=False,
    ),
]
ManualOption = Annotated[
    Path | None,
    typer.Option(
        "--manual",
        metavar="CSV",
        help="Points and comments of your own (default: manual.csv in GRADES).",
        show_default=False,
    ),
]


@group.command(
    "written", cls=PlainCommand, short_help="Answers in words: pages to read, sheets to mark."
)
def written(
    grades: GradesArgument = Path("grades"),
    *,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Where the pages and the sheets are.")
    ] = Path("written"),
    take: Annotated[
        bool,
        typer.Option(
            "--take",
            help="Take the marks of the sheets into manual.csv; its other lines stay.",
        ),
    ] = False,
    collected: CollectedOption = None,
    manual: Annotated[
        Path | None,
        typer.Option(
            "--manual",
            metavar="CSV",
            help="Where --take puts the marks (default: manual.csv in GRADES).",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Write out the answers in words, to be marked by the rubric; then take the marks.

    For each exercise that asks for one: EXERCISE.html with the question, the rubric, a model
    answer and what everybody wrote, and EXERCISE.csv with a column for each line of the rubric.
    Fill the columns in; marks stay when the sheets are written again. With --take the points of
    each marked line are added to those of the checks, by a line of manual.csv.

    \b
    Examples
      mlkit class written
      mlkit class written grades --take
      mlkit class return grades
    """
    book = read_gradebook(grades, collection=collected)
    document = take_marks(book, to, manual) if take else write_sheets(book, to)
    if as_json:
        print_json(document)
        return
    width = terminal_width()
    for one in document["questions"]:
        line = (
            f"{one['exercise']}: {counted(one['answers'], 'answer')}, {one['marked']} marked. "
            f"{'Taken from' if take else 'Read ' + one['page'] + ', and mark in'} {one['sheet']}."
        )
        typer.echo(printable(paragraph(line, width), keep="\n"))
    if take:
        typer.echo(printable(paragraph(f"The marks are in {document['manual']}.", width)))
    elif not document["questions"]:
        typer.echo("No exercise of this class asks for an answer in words.")


@group.command(
    "return", cls=PlainCommand, short_help="Give each a page and a zip, and platforms their files."
)
def hand_back(
    grades: GradesArgument = Path("grades"),
    *,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where everything goes.")] = Path(
        "returned"
    ),
    title: Annotated[
        list[str] | None,
        typer.Option(
            "--title",
            metavar="EXERCISE=TITLE",
            help="What the platform calls an exercise: '05-retries=Homework 5 (1234)'. "
            "May be repeated.",
            show_default=False,
        ),
    ] = None,
    collected: CollectedOption = None,
    manual: ManualOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Return grades: a page and a zip for each student, a gradebook, files for platforms.

    What counts is the grader's points, with yours in their place, less what being late costs, and
    what you add. manual.csv has the columns student, exercise, check (or empty), points, adjust,
    comment. DIR then holds index.html, students/, zips/, gradebook.csv, canvas.csv,
    brightspace.csv, moodle.csv, and for each assignment that came from Moodle a grading worksheet
    and a zip of feedback files.

    \b
    Examples
      mlkit class return
      mlkit class return grades --title '05-retries=Homework 5 (1234)'
    """
    titles = _titles(title or [])
    book = read_gradebook(grades, collection=collected, manual=manual)
    document = give_back(Handback(book=book, out=to, titles=titles))
    if as_json:
        print_json(document)
        return
    width = terminal_width()
    for note in document["notes"]:
        typer.echo(printable(paragraph(note, width), keep="\n"))
    typer.echo(
        paragraph(
            f"Grades of {counted(len(book.students), 'student')} for {', '.join(book.exercises)} "
            f"are in {to}: index.html shows them, students/ and zips/ are to hand out.",
            width,
        )
    )


def _titles(given: list[str]) -> dict[str, str]:
    titles: dict[str, str] = {}
    for text in given:
        exercise, mark, title = text.partition("=")
        if not mark or not title.strip():
            raise UsageError(
                f"--title {text!r} names no title", remedy="Write '05-retries=Homework 5'."
            )
        titles[exercise] = title.strip()
    return titles


@group.command("stats", cls=PlainCommand, short_help="What a class got wrong, and what that says.")
def stats(
    grades: GradesArgument = Path("grades"),
    *,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write the same as a page with pictures.",
            show_default=False,
        ),
    ] = None,
    collected: CollectedOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Say what a class got wrong, and what that says of the exercises.

    For each exercise and check: how many passed, which sentences were said how often, what was too
    hard, and what tells nothing apart (its correlation with the points for everything else).
    Answers that several share, apart from names and comments, are listed for you to look at; that
    proves nothing. Last, what regrading changed.

    \b
    Examples
      mlkit class stats
      mlkit class stats grades --html stats.html
      mlkit class stats grades --json
    """
    book = read_gradebook(grades, collection=collected)
    document = learn_from(book)
    if html is not None:
        write_text(render_class_page(document), html)
        say(f"The page is in {html}.")
    if as_json:
        print_json(document)
        return
    typer.echo(learning_text(document, terminal_width()))


@group.command(
    "quiz", cls=PlainCommand, short_help="Questions on the lessons, for notebooks or a platform."
)
def quiz(
    lessons: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LESSON]...",
            help="Which lessons, by number or by the beginning of the name (default: all).",
            show_default=False,
        ),
    ] = None,
    *,
    form: Annotated[
        str,
        typer.Option(
            "--form",
            metavar="FORM",
            help="notebooks (they check themselves), moodle (Moodle XML), qti (QTI 1.2, for "
            "Canvas; needs the extra quiz), markdown (the source).",
        ),
    ] = "notebooks",
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the files go.")] = Path(
        "quiz"
    ),
    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions",
            metavar="DIR",
            help="Files of questions of your own, in place of those that come with mlkit; not for "
            "notebooks.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Write questions on the lessons, each answer with its reason.

    As notebooks that check themselves, or in a form that a platform for learning imports. Files
    that hold something else are not overwritten.

    \b
    Examples
      mlkit class quiz
      mlkit class quiz 5 6 --form moodle --to week-3
      mlkit class quiz --form markdown --to mine      the source, to edit
      mlkit class quiz --questions mine --form qti
    """
    _one_of("--form", form, FORMS)
    if questions is not None and form == "notebooks":
        raise UsageError(
            "notebooks ask for questions by their name, and know those of mlkit alone",
            remedy="Leave --questions out, or write another form: --form moodle",
            code="E102",
        )
    quizzes = read_bank(questions or kit_questions(), lessons or ())
    written = write_questions(quizzes, form, to)
    count = sum(len(one.questions) for one in quizzes)
    say(f"{counted(count, 'question')} on {counted(len(quizzes), 'lesson')}")
    if as_json:
        files = [str(path) for path in written]
        print_json({"to": str(to), "form": form, "questions": count, "files": files})
        return
    for path in written:
        typer.echo(str(path))


def _one_of(option: str, given: str, known: tuple[str, ...]) -> str:
    if given not in known:
        raise UsageError(f"{option} is {given!r}", remedy=f"It is one of {', '.join(known)}")
    return given
