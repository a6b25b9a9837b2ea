"""Collecting: every layout, every roster, several of one, late ones, and whatever is odd."""

from __future__ import annotations

import io
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import GradingError
from mlkit.grading.batch_text import printable
from mlkit.grading.classroom.collect import MANIFEST, Collecting, collect
from mlkit.grading.classroom.lateness import Deadlines, parse_due, parse_late_rule, read_extensions
from mlkit.grading.classroom.roster import Roster, Student, folded, read_roster
from mlkit.grading.classroom.told import collection_text
from mlkit.grading.classroom.zip_names import names_in_archive
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.submissions import find_submissions

Lay = Callable[..., Path]
Notebook = Callable[..., bytes]
Collect = Callable[..., dict[str, Any]]
R = "05-retries.ipynb"

ANN = Student(
    id="ann",
    name="Ann Müller-Lee",
    email="a.lee@x.org",
    section="Lab 1",
    keys={"canvas": "11", "github": "ann-gh"},
)
BOB = Student(
    id="bob",
    name="Bob van Dyk",
    email="bob@x.org",
    section="Team B",
    keys={"canvas": "12", "github": "bobby"},
)
CID = Student(id="cid", name="Çid Ü.", keys={"canvas": "13"})
CLASS = Roster((ANN, BOB, CID))


@pytest.fixture
def run(tmp_path: Path, exercises: Mapping[str, Exercise]) -> Collect:
    """Collect paths into one folder."""

    def go(*paths: Path, **more: Any) -> dict[str, Any]:
        job = {"out": tmp_path / "collected", "roster": CLASS, "zone": UTC, **more}
        return collect(Collecting(paths=paths, exercises=exercises, **job))

    return go


def _owners(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(s["student"], s["exercise"]) for s in document["submissions"]]


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in files.items():
            archive.writestr(place, content)
    return buffer.getvalue()


def test_what_is_told_of_files_commands_no_terminal(
    lay: Lay, run: Collect, notebook: Notebook
) -> None:
    """Whatever their owners have called them; `collection.json` has their names as they are."""
    name = "05-retries\x1b]0;mine\x07\x9b.ipynb"
    document = run(lay({f"ann/{name}": notebook(), f"nobody/{name}": notebook(), "ann/x": b""}))
    assert any("\x1b" in row["source"] for row in document["not_understood"])
    told = collection_text(document)
    assert not [letter for letter in told if not letter.isprintable() and letter != "\n"]
    assert "05-retries" in told


LAYOUTS: Mapping[str, tuple[str, str]] = {
    "canvas": ("mullerleeann_11_901_05-retries.ipynb", "vandykbob_LATE_12_902_05-retries-1.ipynb"),
    "canvas zip": (
        "mullerleeann_11_901_work.zip!05-retries.ipynb",
        "vandykbob_12_902_w.zip!a/05-retries.ipynb",
    ),
    "moodle folders": (
        "Ann Müller-Lee_555_assignsubmission_file_/05-retries.ipynb",
        "Bob van Dyk_556_assignsubmission_file/05-retries.ipynb",
    ),
    "moodle flat": (
        "Ann Müller-Lee_555_assignsubmission_file_05-retries.ipynb",
        "Bob van Dyk_556_assignsubmission_file_05-retries.ipynb",
    ),
    "brightspace": (
        "1234-77 - Ann Müller-Lee - Nov 3, 2026 1145 PM/05-retries.ipynb",
        "1234-78 - Bob van Dyk - Nov 4, 2026 905 AM/05-retries.ipynb",
    ),
    "brightspace flat": (
        "1234-77 - Ann Müller-Lee - Nov 3, 2026 1145 PM - 05-retries.ipynb",
        "1234-78 - Bob van Dyk - Nov 4, 2026 905 AM - 05-retries.ipynb",
    ),
    "moodle groups": (
        "Lab 1-Ann Müller-Lee_555_assignsubmission_file_/05-retries.ipynb",
        "Team-B-Bob van Dyk_556_assignsubmission_file_/05-retries.ipynb",
    ),
    "blackboard": (
        "Homework 5_a.lee_attempt_2026-11-03-10-15-30_05-retries.ipynb",
        "Home_work_bob_attempt_2026-11-03-10-15-31_my_05-retries.ipynb",
    ),
    "google classroom": (
        "Homework/Ann Müller-Lee - 05-retries.ipynb",
        "Homework/bob van dyk - Copy of 05-retries.ipynb",
    ),
    "sakai": (
        "Homework 5/Müller-Lee, Ann(ann)/Submission attachment(s)/05-retries.ipynb",
        "Homework 5/van Dyk, Bob(bob)/Submission attachment(s)/05-retries.ipynb",
    ),
    "ilias": (
        "Homework 5/Abgaben/Müller-Lee_Ann_ann_4711/20261103101530_05-retries.ipynb",
        "Homework 5/Abgaben/van Dyk_Bob_bob_4712/20261103101531_05-retries.ipynb",
    ),
    "teams": (
        "Submitted files/Ann Müller-Lee/Homework 5/Version 1/05-retries.ipynb",
        "Submitted files/Bob van Dyk/Homework 5/05-retries.ipynb",
    ),
    "a folder around it": ("week 5/ann/05-retries.ipynb", "week 5/bob/05-retries.ipynb"),
    "git-classroom": (
        "retries-submissions/retries-ann-gh/05-retries.ipynb",
        "retries-submissions/retries-bobby/05-retries.ipynb",
    ),
    "nbgrader": ("submitted/ann/ps5/05-retries.ipynb", "submitted/bob/ps5/05-retries.ipynb"),
    "folders": ("ann/05-retries.ipynb", "bob/deep/er/05-retries.ipynb"),
    "folders by name": ("Müller-Lee, Ann/05-retries.ipynb", "van Dyk Bob/05-retries.ipynb"),
    "zips": ("ann.zip!05-retries.ipynb", "bob.ZIP!05-retries.ipynb"),
    "zip in zip": ("all.zip!ann.zip!05-retries.ipynb", "all.zip!bob/05-retries.ipynb"),
    "loose by id": ("ann_05-retries.ipynb", "05-retries bob.ipynb"),
    "loose by address": ("a.lee@x.org.ipynb", "bob@x.org.ipynb"),
    "other names": ("ann/05-retries.ipynb.txt", "bob/Copy of 05-retries (1).IPYNB"),
}


def _built(places: tuple[str, ...], contents: tuple[bytes, ...]) -> dict[str, bytes]:
    """Files for places in which `!` stands behind an archive."""
    heaps: dict[str, tuple[list[str], list[bytes]]] = {}
    files: dict[str, bytes] = {}
    for place, content in zip(places, contents, strict=True):
        head, mark, rest = place.partition("!")
        if not mark:
            files[place] = content
        else:
            heap = heaps.setdefault(head, ([], []))
            heap[0].append(rest)
            heap[1].append(content)
    for head, (inner, within) in heaps.items():
        files[head] = _zip(_built(tuple(inner), tuple(within)))
    return files


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", ["folder", "zip"])
def test_a_layout_tells_whose_a_file_is(
    layout: str, packed: str, lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path
) -> None:
    """As a folder, and as the one zip that a platform gives."""
    files = _built(LAYOUTS[layout], (notebook(a="1"), notebook(b="2")))
    path = (
        lay({"Homework 5.zip": _zip(files)}) / "Homework 5.zip" if packed == "zip" else lay(files)
    )
    document = run(path)
    assert document["not_understood"] == []
    assert _owners(document) == [("ann", "05-retries"), ("bob", "05-retries")]
    assert (tmp_path / "collected" / "ann" / R).read_bytes() == notebook(a="1")
    assert (tmp_path / "collected" / "bob" / R).read_bytes() == notebook(b="2")
    assert [(m["student"]) for m in document["missing"]] == ["cid"]


@pytest.mark.parametrize("folder", ["bob 5", "Homework(bob)", "bob_4711", "Dyk", "nobody_van Dyk"])
def test_an_id_in_a_folders_name_counts_beside_a_part_of_the_name_only(
    folder: str, lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """`Homework 5` is no folder of the student whose id is 5."""
    files = {f"ann/{R}": notebook(), f"{folder}/{R}": notebook(b="2")}
    document = run(lay(files))
    assert _owners(document) == [("ann", "05-retries")]
    assert [row["source"] for row in document["not_understood"]] == [f"{folder}/{R}"]


def test_a_name_is_found_without_its_accents_and_one_with_them_is_itself() -> None:
    """Blackboard and logins leave them out; of other scripts than Latin a mark is no accent."""
    with_one = Student(id="u1", name="Zoë Müller")
    without = Student(id="u2", name="Zoe Muller")
    assert Roster((with_one,)).find("muller zoe") == (with_one,)
    assert Roster((without,)).find("Zoe\u0308 Mu\u0308ller") == (without,)
    both = Roster((with_one, without))
    assert both.find("Zoë Müller") == (with_one,)
    assert both.find("Zoe Muller") == (with_one, without)
    assert folded("が") != folded("か")


@pytest.mark.parametrize(
    "layout", sorted(set(LAYOUTS) - {"loose by address", "google classroom", "ilias"})
)
def test_without_a_roster_everybody_is_who_the_place_says(
    layout: str, lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """Two people, two folders; a name alone at its end is nobody's without a roster."""
    files = _built(LAYOUTS[layout], (notebook(a="1"), notebook(b="2")))
    document = run(lay(files), roster=Roster())
    found = len(document["submissions"]) + len(document["not_understood"])
    assert found == 2
    assert len({s["student"] for s in document["submissions"]}) == len(document["submissions"])


def test_paths_by_student_are_theirs(lay: Lay, notebook: Notebook, run: Collect) -> None:
    """`collect class/*`: what the shell makes of it."""
    folder = lay({"ann/05-retries.ipynb": notebook(a="1"), "bob.zip": _zip({R: notebook(b="2")})})
    assert [o for o, _ in _owners(run(*sorted(folder.iterdir())))] == ["ann", "bob"]
    assert [o for o, _ in _owners(run(*sorted(folder.iterdir()), roster=Roster()))] == [
        "ann",
        "bob",
    ]


def test_a_pattern_says_where_the_name_stands(lay: Lay, notebook: Notebook, run: Collect) -> None:
    """And the exercise, the attempt; what does not fit is listed with the pattern."""
    folder = lay(
        {
            "x-ann-05-retries-2.ipynb": notebook(a="2"),
            "x-ann-05-retries-10.ipynb": notebook(a="10"),
            "y.ipynb": notebook(),
        }
    )
    document = run(folder, pattern="x-{student}-{exercise}-{attempt}.ipynb")
    assert [s["source"] for s in document["submissions"]] == ["x-ann-05-retries-10.ipynb"]
    assert [s["source"] for s in document["superseded"]] == ["x-ann-05-retries-2.ipynb"]
    (odd,) = document["not_understood"]
    assert odd["source"] == "y.ipynb"
    assert "does not fit the pattern" in odd["fact"]


def test_a_name_that_two_bear_is_told_with_what_to_do(
    lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """An id of the platform decides; a name alone does not."""
    twins = Roster(
        (Student(id="a1", name="An Li", keys={"canvas": "7"}), Student(id="a2", name="An Li"))
    )
    folder = lay(
        {"lian_7_1_05-retries.ipynb": notebook(a="1"), "lian_8_2_05-retries.ipynb": notebook(a="2")}
    )
    document = run(folder, roster=twins)
    assert _owners(document) == [("a1", "05-retries")]
    (odd,) = document["not_understood"]
    assert odd["fact"] == "'lian' may be a1, a2"
    assert "canvas_id" in odd["remedy"]
    loose = run(folder, roster=Roster(), out=folder.parent / "other")
    assert [s["student"] for s in loose["submissions"]] == ["lian", "lian-8"]


def test_a_moodle_number_of_another_assignment_is_nobodys(
    lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """Participants have other numbers in every assignment: the name wins."""
    swapped = Roster(
        (
            Student(id="ann", name="Ann Lee", keys={"moodle": "2"}),
            Student(id="bob", name="Bob Roy", keys={"moodle": "1"}),
        )
    )
    folder = lay({"Ann Lee_1_assignsubmission_file_/05-retries.ipynb": notebook()})
    assert _owners(run(folder, roster=swapped)) == [("ann", "05-retries")]


HOUR = "2026-10-01 %02d:00 UTC"


@pytest.mark.parametrize(
    ("which", "counts"),
    [
        ("last", ["late"]),
        ("first", ["early"]),
        ("on-time", ["good"]),
        ("best", ["early", "good", "late"]),
    ],
)
def test_which_of_several_counts(
    which: str, counts: list[str], lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path
) -> None:
    """By time; the same file once more is the earlier one."""
    hours = {"early": 8, "good": 10, "late": 14}
    files: dict[str, Any] = {}
    for name, hour in hours.items():
        files[f"submitted/ann/{name}/05-retries.ipynb"] = notebook(v=name)
        files[f"submitted/ann/{name}/timestamp.txt"] = HOUR % hour
    files["submitted/ann/again/05-retries.ipynb"] = notebook(v="good")
    files["submitted/ann/again/timestamp.txt"] = HOUR % 20
    due = Deadlines(
        by_exercise={"": parse_due("2026-10-01T12:00Z")}, rule=parse_late_rule("10% per hour")
    )
    document = run(lay(files), which=which, deadlines=due)
    chosen = {s["source"].split("/")[2]: s for s in document["submissions"]}
    assert sorted(chosen) == sorted(counts)
    assert {s["source"].split("/")[2] for s in document["superseded"]} == {*hours, "again"} - set(
        counts
    )
    if "late" in chosen:
        assert (chosen["late"]["late_s"], chosen["late"]["off"]) == (7200, 0.2)
    assert len(list((tmp_path / "collected" / "ann").glob("*.ipynb"))) == len(counts)


HEEDED = "submitted/{}/x", "{}/x"
WRITTEN_BY_THEMSELVES = (
    *("{} Lee_501_assignsubmission_file_", "05-retries-{}", "{}.zip/x", "{}.zip"),
)


@pytest.mark.parametrize("place", [*HEEDED, *WRITTEN_BY_THEMSELVES])
def test_nobody_says_by_themselves_when_they_handed_in(
    place: str, lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """A time stamp counts where nbgrader wrote it, and not in what somebody has uploaded."""
    files: dict[str, Any] = {}
    for name in ("ann", "bob"):
        stamp = (HOUR % 8).encode()
        beside = {"05-retries.ipynb": notebook(s=name), "timestamp.txt": stamp}
        outer, packed, inner = place.format(name).partition(".zip")
        below = {f"{inner.strip('/')}/{n}".strip("/"): text for n, text in beside.items()}
        if packed:
            files[f"{outer}.zip"] = _zip(below)
        else:
            files |= {f"{outer}/{n}": text for n, text in beside.items()}
    document = run(lay(files), roster=Roster())
    assert len(document["submissions"]) == 2
    heeded = [s["time"] is not None for s in document["submissions"]]
    assert heeded == [place in HEEDED] * 2
    assert any("timestamp.txt" in note for note in document["notes"]) == (place not in HEEDED)


@pytest.mark.parametrize("name", ["exercises", "notebooks", "solutions", "class", "collected"])
def test_nobody_is_called_so_that_others_are_not_themselves(
    name: str, lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path
) -> None:
    """Names of folders that mean something to the grader are names of people, too."""
    folder = lay({f"{who}/{R}": notebook(s=who) for who in ("ann", "bob", name)})
    document = run(folder, roster=Roster())
    assert {s["student"] for s in document["submissions"]} == {"ann", "bob", name}
    found = find_submissions([tmp_path / "collected"])
    assert {f.student for f in found} == {"ann", "bob", name}


def test_nobody_hands_in_for_a_neighbour(
    lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path
) -> None:
    """Whatever folders an archive holds: without a roster too, and with a path for each student."""
    folder = lay(
        {
            "ann.zip": _zip({"Bob/05-retries.ipynb": notebook(s="forged"), R: notebook(s="a")}),
            "bob.zip": _zip({R: notebook(s="b")}),
        }
    )
    document = run(folder / "ann.zip", folder / "bob.zip", roster=Roster())
    assert {(s["student"], s["root"]) for s in document["submissions"]} == {
        (name, str(folder / f"{name}.zip")) for name in ("ann", "bob")
    }


def test_an_extension_moves_the_deadline(
    lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path
) -> None:
    """For one person and one exercise; a member's extension is the whole group's."""
    table = tmp_path / "more.csv"
    table.write_text("Student;Exercise;Due\nÇid Ü.;05-retries;2026-10-03\n", encoding="utf-8-sig")
    longer = read_extensions(table, CLASS, ["05-retries"], UTC)
    assert longer == {("cid", "05-retries"): datetime(2026, 10, 3, 23, 59, 59, tzinfo=UTC)}
    files: dict[str, Any] = {}
    for student in ("bob", "cid"):
        files[f"submitted/{student}/x/05-retries.ipynb"] = notebook(s=student)
        files[f"submitted/{student}/x/timestamp.txt"] = "2026-10-02 08:00:00 UTC"
    due = Deadlines(
        by_exercise={"05-retries": parse_due("2026-10-01", UTC)},
        extensions=longer,
        rule=parse_late_rule("zero"),
    )
    document = run(lay(files), deadlines=due)
    assert [(s["student"], s["late"], s["off"]) for s in document["submissions"]] == [
        ("bob", True, 1.0),
        ("cid", False, 0.0),
    ]


def test_a_group_hands_in_once(lay: Lay, notebook: Notebook, run: Collect) -> None:
    """One file stands for all its members; nobody of them is missing."""
    people = Roster(
        tuple(
            Student(id=i, group=g)
            for i, g in [("a", "Tigers"), ("b", "Tigers"), ("c", ""), ("d", "")]
        )
    )
    folder = lay(
        {
            "a/05-retries.ipynb": notebook(v="1"),
            "b/05-retries.ipynb": notebook(v="1"),
            "c/05-retries.ipynb": notebook(),
        }
    )
    document = run(folder, roster=people)
    assert {s["student"]: sorted(s["students"]) for s in document["submissions"]} == {
        "Tigers": ["a", "b"],
        "c": ["c"],
    }
    assert [m["student"] for m in document["missing"]] == ["d"]


def test_collecting_again_adds_and_replaces(
    lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path
) -> None:
    """Another week's download is added; the same path gives the same; what is gone goes."""
    one = lay({"ann/05-retries.ipynb": notebook(), "bob/05-retries.ipynb": notebook()})
    two = lay({"ann/16-schedules.ipynb": notebook("16-schedules")}, "second")
    first = run(one)
    assert run(one) == first
    both = run(two, roster=Roster())
    assert _owners(both) == [("ann", "05-retries"), ("ann", "16-schedules"), ("bob", "05-retries")]
    assert [s["id"] for s in both["roster"]] == ["ann", "bob", "cid"]
    (one / "bob" / R).unlink()
    run(one)
    assert not (tmp_path / "collected" / "bob" / R).exists()
    assert (tmp_path / "collected" / "ann" / "16-schedules.ipynb").exists()


def test_a_folder_of_something_else_is_left_alone(
    lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path
) -> None:
    """Nothing is written, and the remedy says what to give."""
    folder = lay({"ann/05-retries.ipynb": notebook()})
    (tmp_path / "collected").mkdir()
    (tmp_path / "collected" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(GradingError, match="something else than a collection") as caught:
        run(folder)
    assert "--to" in str(caught.value.remedy)
    assert [p.name for p in (tmp_path / "collected").iterdir()] == ["thesis.txt"]


def test_a_whole_folder_that_was_handed_out_gives_its_exercises_alone(
    lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """Lessons and opened solutions stand beside them, and are nobody's answers."""
    given = {
        "exercises/05-retries.ipynb": notebook(v="mine"),
        "solutions/05-retries.ipynb": notebook(v="opened"),
        "notebooks/lessons/01-what.ipynb": b"{}",
    }
    folder = lay({f"ann/homework/{name}": content for name, content in given.items()})
    (folder / "bob.zip").write_bytes(_zip(given))
    document = run(folder)
    assert {s["source"] for s in document["submissions"]} == {
        "ann/homework/exercises/05-retries.ipynb",
        "bob.zip/exercises/05-retries.ipynb",
    }
    assert [row["why"] for row in document["passed_over"]] == ["given along with exercises"] * 4


@pytest.mark.parametrize("roster", [CLASS, Roster()], ids=["roster", "none"])
@pytest.mark.parametrize(
    "place",
    [
        "Bob van Dyk_556_assignsubmission_onlinetext_/onlinetext.html",
        "vandykbob_12_902_05-retries.ipynb.html",
        "bob/deep/05-retries.py",
        "bob.zip",
    ],
)
def test_somebody_who_handed_in_no_notebook_is_told(
    place: str, roster: Roster, lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """With what it is; of others what lies beside their notebooks is passed over."""
    content = _zip({"src/05-retries.py": b"x"}) if place.endswith(".zip") else b"x"
    document = run(
        lay({"ann/05-retries.ipynb": notebook(), "ann/x.csv": b"", place: content, "README": b""}),
        roster=roster,
    )
    (row,) = document["not_understood"]
    assert row["source"].startswith(place)
    assert row["fact"].startswith("no notebook, but ")
    assert row["source"].rpartition("/")[2] in row["fact"]
    assert [row["source"] for row in document["passed_over"]] == ["README", "ann/x.csv"]


def test_one_who_hands_in_twice_is_no_class_beside_others(
    lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """Folders of one person hold the same exercise; where others are, they are that person's."""
    files = {
        "ann/1/05-retries.ipynb": notebook(v=1),
        "ann/2/05-retries.ipynb": notebook(v=2),
        "bob/05-retries.ipynb": notebook(v=3),
    }
    document = run(lay(files), roster=Roster())
    assert {s["student"] for s in document["submissions"]} == {"ann", "bob"}
    (note,) = document["notes"]
    assert "--student PATTERN" in note


def test_attempts_of_blackboard_are_ordered_by_their_times(
    lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """Each name holds when it came; the text that stands beside it is nobody's."""
    name = "Homework 5_bob_attempt_2026-11-{}-10-15-30{}"
    files = {
        name.format("12", "_a.ipynb"): notebook(v="new"),
        name.format("03", "_b.ipynb"): notebook(v="old"),
        name.format("12", ".txt"): b"Name: Bob",
    }
    document = run(lay(files))
    (counts,) = document["submissions"]
    assert counts["source"] == name.format("12", "_a.ipynb")
    assert counts["time"] == "2026-11-12T10:15:30+00:00"
    assert document["notes"] == []
    assert [row["source"] for row in document["passed_over"]] == [name.format("12", ".txt")]


def test_the_roster_is_told_in_its_own_columns(lay: Lay, notebook: Notebook, run: Collect) -> None:
    """The column that a remedy names is one that a roster has."""
    folder = lay(
        {
            f"hw-submissions/hw-bobby/{R}": notebook(),
            f"hw-submissions/hw-zoe/{R}": notebook(v="z"),
        }
    )
    (row,) = run(folder)["not_understood"]
    assert "with zoe as 'github'" in row["remedy"]


def test_nothing_understood_is_an_error_with_reasons(
    lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path
) -> None:
    """And nothing is written."""
    with pytest.raises(GradingError, match="no notebook of anybody") as caught:
        run(lay({"zoe/05-retries.ipynb": notebook()}))
    assert "'zoe' is nobody of the roster" in str(caught.value.remedy)
    assert not (tmp_path / "collected" / MANIFEST).exists()


@pytest.mark.parametrize(
    "name",
    [
        "\u7530\u4e2d\u3000\u592a\u90ce",  # the wide blank between two names in Japanese
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",  # Persian, with a joiner
        "\u05de\u05e9\u05d4\u200f \u05db\u05d4\u05df",  # Hebrew, with a mark of direction
        "Li\u00a0Wei",
    ],
)
def test_wide_blanks_and_joiners_stand_in_names_of_people(
    lay: Lay, notebook: Notebook, run: Collect, name: str
) -> None:
    """In an archive as in a folder; on a terminal they do nothing."""
    place = f"{name}_7_assignsubmission_file_/05-retries.ipynb"
    folder = lay({"packed/hw.zip": _zip({place: notebook()}), f"folder/{place}": notebook()})
    for path in (folder / "packed" / "hw.zip", folder / "folder"):
        document = run(path, roster=Roster((Student(id="s7", name=name),)))
        assert _owners(document) == [("s7", "05-retries")]
        assert document["not_understood"] == []
    assert printable(name).isprintable()
    assert folded(printable(name)) == folded(name)


@pytest.mark.parametrize("ids", [("a.lee@x.org", "alee@x.org"), ("ab_1", "ab1"), ("s1-2", "s12")])
def test_ids_that_differ_in_a_sign_are_two_peoples(
    lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path, ids: tuple[str, str]
) -> None:
    """Each has what came under the own id, and the time that a table gives it."""
    table = tmp_path / "roster.csv"
    table.write_text("student,name\n" + "".join(f"{own},Somebody {own}\n" for own in ids))
    roster = read_roster(table)
    assert [[s.id for s in roster.find(own)] for own in ids] == [[own] for own in ids]
    times = [(own, "", datetime(2026, 1, day, tzinfo=UTC)) for day, own in enumerate(ids, 1)]
    folder = lay({f"{own}/05-retries.ipynb": notebook() for own in ids})
    document = run(folder, roster=roster, times=times)
    told = {row["student"]: row["time"][:10] for row in document["submissions"]}
    assert told == {ids[0]: "2026-01-01", ids[1]: "2026-01-02"}
    apart = "s.1.2" if ids[1] == "s12" else ids[0].replace("a", "a-")
    assert len(roster.find(apart)) == 2


def _hostile() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("05-retries.ipynb", b"{}")
        archive.writestr("../../../escaped.ipynb", b"{}")
        archive.writestr("/absolute.ipynb", b"{}")
        archive.writestr("C:\\drive.ipynb", b"{}")
        archive.writestr("a\x1b[2Jb.ipynb", b"{}")
        link = zipfile.ZipInfo("link.ipynb")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bomb.ipynb", b"0" * (20 << 20))
        archive.writestr("empty.ipynb", b"")
        archive.writestr("notes.txt", b"hello")
        archive.writestr("__MACOSX/._x.ipynb", b"x")
    return buffer.getvalue()


def test_a_hostile_archive_does_nothing_and_is_listed(
    lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path
) -> None:
    """Names that lead out, links, bombs, odd names: the honest neighbour is collected."""
    folder = lay(
        {
            "ann.zip": _hostile(),
            "bob/05-retries.ipynb": notebook(),
            "cid.zip": b"PK\x03\x04 no archive",
        }
    )
    document = run(folder)
    assert _owners(document) == [("ann", "05-retries"), ("bob", "05-retries")]
    told = {row["source"]: row["fact"] for row in document["not_understood"]}
    assert len(told) == 8
    assert told["ann.zip/link.ipynb"] == "a link or a device in an archive"
    assert told["ann.zip/bomb.ipynb"] == "larger than 16 MiB"
    assert sum("leads out" in fact for fact in told.values()) == 3
    assert "not a zip archive" in told["cid.zip"]
    assert all(row["remedy"] for row in document["not_understood"])
    assert {row["source"] for row in document["passed_over"]} == {
        "ann.zip/notes.txt",
        "ann.zip/__MACOSX/._x.ipynb",
    }
    written = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert [w for w in written if not w.startswith("download")] == [
        "collected/ann/05-retries.ipynb",
        "collected/bob/05-retries.ipynb",
        f"collected/{MANIFEST}",
    ]


def test_an_archive_that_lies_about_its_size_is_cut(
    lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """The header says one byte; what comes out is counted."""
    content = bytearray(_zip({R: b"0" * (17 << 20)}))
    size = (17 << 20).to_bytes(4, "little")
    for _ in range(2):
        at = content.rindex(size) if size in content else 0
        content[at : at + 4] = (1).to_bytes(4, "little")
    document = run(lay({"ann.zip": bytes(content), "bob/05-retries.ipynb": notebook()}))
    assert [o for o, _ in _owners(document)] == ["bob"]
    assert [row["source"] for row in document["not_understood"]] == ["ann.zip/05-retries.ipynb"]


class _Undeclared(zipfile.ZipInfo):
    """A name in bytes of which nothing says how they are meant."""

    def __init__(self, name: bytes) -> None:
        super().__init__("x")
        self.raw = name

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - what zipfile calls
        return self.raw, self.flag_bits & ~0x800


def _undeclared(name: bytes, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(_Undeclared(name), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("form", "encoding"),
    [("NFD", "utf-8"), ("NFC", "utf-8"), ("NFC", "cp437"), ("NFC", "cp1252"), ("NFC", "cp850")],
)
def test_names_in_an_archive_are_read_as_its_maker_wrote_them(
    lay: Lay, notebook: Notebook, run: Collect, form: Literal["NFD", "NFC"], encoding: str
) -> None:
    """The Finder writes UTF-8 and does not say so; Windows its own or DOS's."""
    name = unicodedata.normalize(form, f"Ann Müller-Lee/{R}").encode(encoding)
    document = run(lay({"class.zip": _undeclared(name, notebook())}).joinpath("class.zip"))
    assert _owners(document) == [("ann", "05-retries")]


PEOPLE = (
    *("Jürgen Groß", "Ægir Ørsted", "René Lefèvre", "Bárbara Núñez", "Åsa Öberg", "Zoë Ångström"),
    *(
        "Inês Conceição",
        "Márta Szabó",
        "Søren Kjær",
        "François Noël",
        "Íris Þórsdóttir",
        "Ana Peña",
    ),
    *("Aña Ibáñez", "Ülkü Ünal", "Élodie Brûlé", "Jörg Weiß", "Niccolò Già", "Agnès Dœuff"),
)


@pytest.mark.parametrize("encoding", ["cp437", "cp850", "cp1252"])
def test_names_of_people_are_read_in_whatever_letters_a_program_wrote_them(encoding: str) -> None:
    """Alone in an archive, and all of those together that these letters can hold."""
    known = {name: _encoded(name, encoding) for name in PEOPLE}
    entries = {name: zipfile.ZipInfo(raw.decode("cp437")) for name, raw in known.items() if raw}
    assert names_in_archive([*entries.values()]) == [*entries]
    assert [names_in_archive([entry])[0] for entry in entries.values()] == [*entries]
    assert len(entries) > 12


def test_the_name_that_an_archive_keeps_in_utf_8_counts_if_it_belongs_to_the_other() -> None:
    """7-Zip and Info-ZIP write it beside one in the letters of the place."""
    raw, meant = b"Micha\x88 Wi\x98niewski", "Michał Wiśniewski"
    for belongs in (True, False):
        check = zlib.crc32(raw) ^ (not belongs)
        entry = zipfile.ZipInfo(raw.decode("cp437"))
        field = struct.pack("<BL", 1, check) + meant.encode()
        entry.extra = struct.pack("<HH", 0x7075, len(field)) + field
        assert (names_in_archive([entry]) == [meant]) == belongs


def _encoded(name: str, encoding: str) -> bytes:
    try:
        return name.encode(encoding)
    except UnicodeError:
        return b""


@given(st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1))
def test_any_name_in_utf_8_is_read_whether_it_is_declared_or_not(name: str) -> None:
    """What zipfile takes for the letters of DOS is what was meant."""
    for content in (_undeclared(f"a{name}.txt".encode(), b"x"), _zip({f"a{name}.txt": b"x"})):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert names_in_archive(archive.infolist()) == [f"a{name}.txt"]


def test_a_file_that_an_editor_keeps_meanwhile_is_nobodys(
    lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """It stands beside the real one and never counts in its place."""
    document = run(lay({f"ann/{R}": notebook(), f"ann/~${R}": notebook()}))
    assert [row["source"] for row in document["passed_over"]] == [f"ann/~${R}"]
    assert [s["source"] for s in document["submissions"]] == [f"ann/{R}"]


def test_links_and_empty_folders_are_listed(
    lay: Lay, notebook: Notebook, run: Collect, tmp_path: Path
) -> None:
    """Nothing is followed, and nobody is missing without a word."""
    folder = lay({"ann/05-retries.ipynb": notebook(), "cid/work.rar": b"Rar!"})
    (folder / "bob").mkdir()
    (folder / "away").symlink_to(tmp_path)
    (folder / "cid" / R).symlink_to(folder / "ann" / R)
    told = {row["source"]: row["fact"] for row in run(folder)["not_understood"]}
    assert told == {
        "away": "a link to a folder, which is not followed",
        "bob": "an empty folder",
        "cid/05-retries.ipynb": "a link, which is not followed",
        "cid/work.rar": "an archive of another kind than zip",
    }


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("student,name\nann,Ann\nann,Other\n", 3, "stands in line 2, too"),
        ("student;student\nx;y\n", 1, "two columns have the title"),
        ("student,name\n,\nx,\n,Y,Z\n", 4, "the line has 3 cells"),
        ("", None, "the table is empty"),
        ("student,group\nann,ann\n", 2, "has the id of a student"),
        ('student\n"open\n', 2, "cannot be read"),
        ("foo,section\n1,2\n", 2, "the line names nobody"),
    ],
)
def test_a_broken_roster_is_told_by_its_line(
    text: str, line: int | None, says: str, tmp_path: Path
) -> None:
    """The place, the fact and what to do."""
    path = tmp_path / "the roster.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GradingError, match=says) as caught:
        read_roster(path)
    assert (caught.value.file, caught.value.line) == (str(path), line)
    assert caught.value.remedy


ROSTERS: Mapping[str, tuple[str, str]] = {
    "own": ("student,name,canvas_id\nann,Ann Lee,11\n", "utf-8"),
    "semicolons and a mark": ("Student;Name;Canvas ID\nann;Ann Lee;11\n", "utf-8-sig"),
    "a hint for Excel": ("sep=;\nStudent;Name;Canvas ID\n\nann;Ann Lee;11\n", "utf-8-sig"),
    "tabs in UTF-16": ("STUDENT\tNAME\tcanvas_id\nann\tAnn Lee\t11\n", "utf-16"),
    "canvas": (
        "Student,ID,SIS User ID,SIS Login ID,Section,Homework (5)\n"
        '    Points Possible,,,,,8\n"Lee, Ann",11,S11,ann,A,\n',
        "utf-8-sig",
    ),
    "brightspace": (
        "OrgDefinedId,Username,Last Name,First Name,Email,End-of-Line Indicator\n"
        "#ann,#alee,Lee,Ann,a@x.org,#\n",
        "utf-8",
    ),
    "moodle": (
        "Identifier,Full name,ID number,Email address,Status,Grade\n"
        "Participant 11,Ann Lee,ann,a@x.org,Submitted,\n",
        "utf-8",
    ),
    "github": (
        '"identifier","github_username","github_id","name"\n"ann","ann-gh","1","Ann Lee"\n',
        "utf-8",
    ),
}


@pytest.mark.parametrize("kind", ROSTERS)
def test_an_export_of_a_platform_is_a_roster(kind: str, tmp_path: Path) -> None:
    """Whatever its separator, its encoding, and the case of its titles."""
    text, encoding = ROSTERS[kind]
    path = tmp_path / "roster.csv"
    path.write_text(text, encoding=encoding)
    (student,) = read_roster(path)
    assert student.id in ("ann", "alee")
    assert folded_name(student.name) in ("annlee", "leeann")


def folded_name(name: str) -> str:
    """A name without blanks and commas."""
    return name.casefold().replace(" ", "").replace(",", "")


def test_an_id_of_several_words_is_found_before_one_within_it(
    lay: Lay, notebook: Notebook, run: Collect
) -> None:
    """Logins hold underscores, which are also what platforms put between the parts of a name."""
    people = Roster(
        (
            Student(id="s1", name="Ann Lee", keys={"login": "x_101"}),
            Student(id="101", name="Ann Roy"),
            Student(id="s3", name="Bo Lee", keys={"login": "x_10"}),
        )
    )
    for place in (
        "Homework 5/Lee, Ann(x_101)/Submission attachment(s)/05-retries.ipynb",
        "Homework 5/Submissions/Lee_Ann_x_101_4711/20261103101530_05-retries.ipynb",
        "x_101_05-retries.ipynb",
        "05-retries (X_101).ipynb",
    ):
        document = run(lay({place: notebook()}, place[:3] + str(len(place))), roster=people)
        assert {s["student"] for s in document["submissions"]} == {"s1"}
        assert document["not_understood"] == []
