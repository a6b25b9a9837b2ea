"""Returning: what counts and why, a page and a zip each, and files that platforms import."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from mlkit.errors import GradingError
from mlkit.grading.classroom.collect import Collecting, collect
from mlkit.grading.classroom.gradebook import Gradebook, read_gradebook
from mlkit.grading.classroom.handback import LISTING, Handback, give_back
from mlkit.grading.classroom.lateness import Deadlines, parse_due, parse_late_rule
from mlkit.grading.classroom.roster import Roster, Student
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.results import Results
from mlkit.grading.verdict.verdict import CheckVerdict, Verdict, ungradable

Lay = Callable[..., Path]
Notebook = Callable[..., bytes]
R, S = "05-retries", "16-schedules"
SOLUTIONS = Path(__file__).resolve().parents[3] / "solutions"

CLASS = Roster(
    (
        Student(
            id="ann",
            name="Ann <b>Lee",
            email="a@x.org",
            section="A",
            keys={"canvas": "11", "login": "alee"},
        ),
        Student(
            id="bob", name="Bob Roy", group="Tigers", keys={"canvas": "12", "brightspace": "77"}
        ),
        Student(id="cid", name="=cmd()", group="Tigers", keys={"canvas": "13"}),
        Student(id="dot", name="Dot", keys={"canvas": "14"}),
    )
)


def _verdict(path: Path, student: str, exercise: Exercise, lost: int) -> Verdict:
    """A verdict in which the first checks are lost."""
    checks = tuple(
        CheckVerdict(
            id=spec.id,
            title=spec.title,
            hidden=spec.hidden,
            points=0 if number < lost else spec.points,
            max=spec.points,
            status="failed" if number < lost else "passed",
            message="It waits <i>linearly." if number < lost else "",
        )
        for number, spec in enumerate(exercise.checks)
    )
    return Verdict(
        path=str(path),
        exercise=exercise.name,
        student=student,
        status="graded",
        score=sum(check.points for check in checks),
        max=exercise.max_points,
        checks=checks,
    )


@pytest.fixture
def graded(tmp_path: Path, lay: Lay, notebook: Notebook, exercises: Mapping[str, Exercise]) -> Path:
    """A class of four: one late, a group of two, one who handed in nothing, one ungradable file."""
    folder = lay(
        {
            "Ann <b>Lee_501_assignsubmission_file_/05-retries.ipynb": notebook(s="ann"),
            "Bob Roy_502_assignsubmission_file_/05-retries.ipynb": notebook(s="bob"),
            "ann/16-schedules.ipynb": notebook(S, s="ann"),
            "bob/16-schedules.ipynb": b"broken",
        }
    )
    job = Collecting(
        paths=[folder],
        out=tmp_path / "collected",
        exercises=exercises,
        roster=CLASS,
        deadlines=Deadlines(
            by_exercise={R: parse_due("2026-10-01T12:00Z")}, rule=parse_late_rule("10% per day")
        ),
        times=[("ann", R, parse_due("2026-10-03T09:00Z"))],
        zone=UTC,
    )
    collect(job)
    out, home = tmp_path / "grades", tmp_path / "collected"
    _grade(out, home, exercises, lost=0)
    return out


def _grade(out: Path, home: Path, exercises: Mapping[str, Exercise], *, lost: int) -> None:
    results = Results(out)
    results.prepare()
    results.write(
        "limited",
        SOLUTIONS,
        [
            _verdict(home / "ann" / f"{R}.ipynb", "ann", exercises[R], lost),
            _verdict(home / "Tigers" / f"{R}.ipynb", "Tigers", exercises[R], 2),
            _verdict(home / "ann" / f"{S}.ipynb", "ann", exercises[S], 1),
            ungradable(
                str(home / "Tigers" / f"{S}.ipynb"),
                "Tigers",
                "no JSON",
                exercise=S,
                max_points=exercises[S].max_points,
            ),
        ],
    )


def _scores(book: Gradebook) -> dict[tuple[str, str], tuple[str, float]]:
    return {key: (mark.status, mark.score) for key, mark in book.marks.items()}


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_everybody_has_a_mark_for_everything(
    graded: Path, exercises: Mapping[str, Exercise]
) -> None:
    """Late ones less their share, a group's for each member, and nothing is nothing."""
    full = exercises[R].max_points
    lost = sum(spec.points for spec in exercises[R].checks[:2])
    first = exercises[S].checks[0].points
    assert _scores(read_gradebook(graded)) == {
        ("ann", R): ("graded", round(full * 0.8, 4)),
        ("bob", R): ("graded", full - lost),
        ("cid", R): ("graded", full - lost),
        ("dot", R): ("missing", 0),
        ("ann", S): ("graded", exercises[S].max_points - first),
        ("bob", S): ("ungradable", 0),
        ("cid", S): ("ungradable", 0),
        ("dot", S): ("missing", 0),
    }


def test_a_teachers_own_points_stand_and_no_regrade_touches_them(
    graded: Path, exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """In place of a check's or an exercise's; adjustments after what is off for being late."""
    check = exercises[R].checks[0]
    manual = graded / "manual.csv"
    text = (
        "Student;Exercise;Check;Points;Adjust;Comment\n"
        f"ann;{R};{check.id};0,5;;looked at it\n"
        f"Ann <b>Lee;{R};;;1;good question\n"
        f"dot;{R};;7;;told me\n"
        f"bob;{S};;2;;\n"
    )
    manual.write_text(text, encoding="utf-8-sig")
    before = manual.read_bytes()
    _grade(graded, tmp_path / "collected", exercises, lost=1)
    book = read_gradebook(graded)
    assert manual.read_bytes() == before
    ann = book.marks["ann", R]
    raw = exercises[R].max_points - check.points + 0.5
    assert (ann.raw, ann.score) == (raw, round(raw * 0.8 + 1, 4))
    assert ann.comments == (f"{check.id}: looked at it", "good question")
    assert (book.marks["dot", R].status, book.marks["dot", R].score) == ("graded", 7)
    assert (book.marks["bob", S].status, book.marks["bob", S].score) == ("graded", 2)
    assert book.marks["cid", S].status == "ungradable"


@pytest.mark.parametrize(
    ("line", "says", "remedy"),
    [
        ("zoe,05-retries,,1,,", "'zoe' is nobody of this class", "There are"),
        ("ann,05-retrys,,1,,", "no exercise '05-retrys'", "Did you mean '05-retries'?"),
        ("ann,05-retries,check-x,1,,", "has no check 'check-x'", ""),
        ("ann,05-retries,,one,,", "'one' in the column 'points' is no number", "Write it as 7"),
        ("ann,05-retries,,inf,,", "'inf' in the column 'points' is no number", "Write it as 7"),
        ("ann,05-retries,,1,,\nann,05-retries,,2,,", "gives ann points for the same", "Leave one"),
    ],
)
def test_a_slip_in_manual_csv_is_told_by_its_line(
    line: str, says: str, remedy: str, graded: Path
) -> None:
    """The file, the line, the fact, what to do."""
    path = graded / "manual.csv"
    path.write_text(f"student,exercise,check,points,adjust,comment\n{line}\n", encoding="utf-8")
    with pytest.raises(GradingError, match=says) as caught:
        read_gradebook(graded)
    assert (caught.value.file, caught.value.line) == (str(path), 2 + line.count("\n"))
    assert remedy in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("titles", "says"),
    [
        ("student,exercise,check,point", "a column 'point', and none called 'points'"),
        ("Student,Exercise,Checks,Points", "a column 'Checks', and none called 'check'"),
        ("student,exercise,check,adjustment", "a column 'adjustment', and none called 'adjust'"),
    ],
)
def test_a_misspelled_column_loses_no_points(titles: str, says: str, graded: Path) -> None:
    """Columns of one's own are fine, if none of them is nearly one that counts."""
    (graded / "manual.csv").write_text(f"{titles}\nann,05-retries,,1\n", encoding="utf-8")
    with pytest.raises(GradingError, match=says) as caught:
        read_gradebook(graded)
    assert caught.value.line == 1
    own = f"student,exercise,points,name,pointed at\nann,{R},1,Ann,\n"
    (graded / "manual.csv").write_text(own, encoding="utf-8")
    read_gradebook(graded)


def test_pages_and_zips_are_each_students_own(graded: Path, tmp_path: Path) -> None:
    """Escaped, without scripts; nobody reads of anybody else; equal grades are equal bytes."""
    out = tmp_path / "ret urned ü"
    book = read_gradebook(graded)
    document = give_back(Handback(book=book, out=out))
    page = (out / "students" / "ann.html").read_text(encoding="utf-8")
    assert "Ann &lt;b&gt;Lee" in page
    assert "<b>Lee" not in page
    assert "It waits &lt;i&gt;linearly." in (out / "students" / "bob.html").read_text(
        encoding="utf-8"
    )
    assert "<script" not in page
    assert "Bob" not in page
    assert "1 d 21 h late" in page
    with zipfile.ZipFile(out / "zips" / "ann.zip") as archive:
        assert archive.namelist() == [
            "index.html",
            f"{R}/feedback.html",
            f"{R}/{R}.ipynb",
            f"{S}/feedback.html",
            f"{S}/{S}.ipynb",
        ]
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Bob" not in everything
    with zipfile.ZipFile(out / "zips" / "dot.zip") as archive:
        assert archive.namelist() == ["index.html"]
    index = (out / "index.html").read_text(encoding="utf-8")
    assert all(f'href="students/{student.id}.html"' in index for student in CLASS)
    bytes_of = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert give_back(Handback(book=book, out=out)) == document
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == bytes_of
    fewer = replace(book, students=book.students[:1])
    give_back(Handback(book=fewer, out=out))
    assert [p.name for p in (out / "zips").iterdir()] == ["ann.zip"]


def test_platforms_get_the_columns_that_they_ask_for(
    graded: Path, exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """Canvas, Brightspace, Moodle's gradebook, worksheet and feedback; no formula anywhere."""
    out = tmp_path / "returned"
    book = read_gradebook(graded)
    give_back(Handback(book=book, out=out, titles={R: "Homework 5 (1234)"}))
    full = {name: f"{exercises[name].max_points:g}" for name in (R, S)}
    bob = f"{book.marks['bob', R].score:g}"
    ann = [f"{book.marks['ann', name].score:g}" for name in (R, S)]
    assert _rows((out / "canvas.csv").read_text(encoding="utf-8")) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Homework 5 (1234)", S],
        ["    Points Possible", "", "", "", "", full[R], full[S]],
        ["Ann <b>Lee", "11", "", "alee", "A", *ann],
        ["Bob Roy", "12", "", "", "", bob, ""],
        ["'=cmd()", "13", "", "", "", bob, ""],
        ["Dot", "14", "", "", "", "", ""],
    ]
    brightspace = _rows((out / "brightspace.csv").read_text(encoding="utf-8"))
    assert brightspace[0] == [
        "OrgDefinedId",
        "Username",
        "Homework 5 (1234) Points Grade",
        f"{S} Points Grade",
        "End-of-Line Indicator",
    ]
    assert brightspace[2] == ["77", "", bob, "", "#"]
    worksheet = _rows((out / f"moodle-{R}.csv").read_text(encoding="utf-8"))
    assert worksheet[1][:4] == ["Participant 501", "Ann <b>Lee", "a@x.org", ann[0]]
    # Moodle's number is that of the member who handed in, and of nobody else.
    assert [row[0] for row in worksheet[2:]] == ["Participant 502"]
    with zipfile.ZipFile(out / f"moodle-feedback-{R}.zip") as archive:
        assert archive.namelist() == [
            "Ann-b-Lee_501_assignsubmission_file_/feedback.html",
            "Bob-Roy_502_assignsubmission_file_/feedback.html",
        ]
        # Moodle before 4.1 asks for five parts, and takes what is behind the fourth for the file.
        parts = [name.split("/")[0].split("_", 4) for name in archive.namelist()]
        assert [part[1:] for part in parts] == [
            ["501", "assignsubmission", "file", ""],
            ["502", "assignsubmission", "file", ""],
        ]
    whole = _rows((out / "gradebook.csv").read_text(encoding="utf-8"))
    assert len({len(row) for row in whole}) == 1
    assert whole[3][1] == "'=cmd()"
    named = dict(zip(whole[0], whole[1], strict=True))
    assert named[f"{R} late off"] == "0.2"
    assert float(named["total"]) == book.total("ann")[0]
    assert sum(float(named[f"{R} {c.id}"]) for c in exercises[R].checks) == exercises[R].max_points


def test_nothing_is_written_where_something_else_stands(graded: Path, tmp_path: Path) -> None:
    """Nor is a title for an exercise that nobody handed in."""
    out = tmp_path / "other"
    out.mkdir()
    (out / "thesis.txt").write_text("mine", encoding="utf-8")
    book = read_gradebook(graded)
    with pytest.raises(GradingError, match="something else than grades"):
        give_back(Handback(book=book, out=out))
    with pytest.raises(GradingError, match="nobody has a grade for '05-retrys'") as caught:
        give_back(Handback(book=book, out=tmp_path / "new", titles={"05-retrys": "x"}))
    assert caught.value.remedy == "Did you mean '05-retries'?"
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]
    assert not (tmp_path / "new").exists()
    (out / "thesis.txt").rename(out / LISTING)
    with pytest.raises(GradingError, match="something else than grades"):
        give_back(Handback(book=book, out=out))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"submissions": [{"path": 1}]}', "\x00"])
def test_a_folder_without_grades_is_told(text: str, tmp_path: Path) -> None:
    """In one sentence, with what to do first."""
    (tmp_path / "grades.json").write_text(text, encoding="utf-8")
    with pytest.raises(GradingError, match="no grades here") as caught:
        read_gradebook(tmp_path)
    assert "mlkit grade" in str(caught.value.remedy)


def test_without_a_collection_the_students_are_the_graders(
    tmp_path: Path, exercises: Mapping[str, Exercise]
) -> None:
    """Nobody is late, and of several submissions the best counts."""
    results = Results(tmp_path / "grades")
    results.prepare()
    verdicts = [_verdict(tmp_path / f"{n}.ipynb", "ann", exercises[R], n) for n in (2, 0, 1)]
    results.write("limited", SOLUTIONS, verdicts)
    book = read_gradebook(tmp_path / "grades")
    assert _scores(book) == {("ann", R): ("graded", exercises[R].max_points)}


def test_what_answers_no_known_exercise_is_not_called_missing(
    tmp_path: Path, lay: Lay, notebook: Notebook, exercises: Mapping[str, Exercise]
) -> None:
    """A broken file under a name of its own: the teacher and its author are told of it."""
    folder = lay(
        {
            "ann/05-retries.ipynb": notebook(s="ann"),
            "dot/un<i>titled.ipynb": b"broken",
            "bob/untitled.ipynb": b"broken, too",
        }
    )
    home, out = tmp_path / "collected", tmp_path / "grades"
    collected = collect(Collecting(paths=[folder], out=home, exercises=exercises, roster=CLASS))
    odd = {s["student"]: str(home / s["file"]) for s in collected["submissions"]}
    results = Results(out)
    results.prepare()
    broken = [ungradable(odd[name], name, "no JSON") for name in ("dot", "Tigers")]
    results.write(
        "limited", SOLUTIONS, [_verdict(Path(odd["ann"]), "ann", exercises[R], 0), *broken]
    )
    document = give_back(Handback(book=read_gradebook(out), out=tmp_path / "returned"))
    told = [note for note in document["notes"] if "nothing tells which exercise" in note]
    assert [note.partition(",")[0] for note in told] == [
        "bob handed in untitled.ipynb (no JSON)",
        "cid handed in untitled.ipynb (no JSON)",
        "dot handed in un<i>titled.ipynb (no JSON)",
    ]
    pages = {
        name: (tmp_path / "returned" / "students" / f"{name}.html").read_text(encoding="utf-8")
        for name in ("ann", "dot")
    }
    assert "un&lt;i&gt;titled.ipynb (no JSON)" in pages["dot"]
    assert "nothing was handed in" not in pages["dot"]
    assert "titled" not in pages["ann"]
