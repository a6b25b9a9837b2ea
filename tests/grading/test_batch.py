"""Batches: side by side, resumable, honest about isolation, and told in tables and pages."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit.errors import GradingError
from mlkit.grading.batch import Batch, grade_batch, time_left
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.exercise_progress import progress
from mlkit.grading.feedback import page
from mlkit.grading.results import Results
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.trial import why_limited
from mlkit.grading.submissions import find_submissions
from mlkit.grading.verdict.verdict import CheckVerdict, Difference, Verdict

NAME = "05-retries"
ANSWER = "answer-retry-with-backoff"
SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
Submit = Callable[..., Path]
Grade = Callable[..., dict[str, dict[str, Any]]]


def _silent(text: str) -> None:
    """Say nothing."""


@pytest.mark.kernel
def test_a_class_is_graded_whatever_its_files_are(
    submit: Submit, grade: Grade, exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """Broken files are ungradable and say why; the others get their grades."""
    room = tmp_path / "class"
    good = submit(room / "ann", NAME, exercises[NAME].solution)
    submit(room / "=cmd()", NAME, {})
    for student, content in [("bob", "no json"), ("cid", ""), ("dot", '{"cells": []}')]:
        (room / student).mkdir()
        (room / student / f"{NAME}.ipynb").write_text(content, encoding="utf-8")
    (room / "eve").mkdir()
    (room / "eve" / f"{NAME}.ipynb").symlink_to(SOLUTIONS / f"{NAME}.ipynb")
    (room / "fay").mkdir()
    (room / "fay" / "my homework.ipynb").write_bytes(good.read_bytes())
    for name in ("conftest.py", "pytest.ini", "json.py", "sitecustomize.py"):
        (room / "ann" / name).write_text("raise SystemExit(1)", encoding="utf-8")
    grades = grade(room, out=tmp_path / "out")
    full = exercises[NAME].max_points
    assert {student: (g["status"], g["score"]) for student, g in grades.items()} == {
        "ann": ("graded", full),
        "=cmd()": ("not_attempted", 0),
        "bob": ("ungradable", 0),
        "cid": ("ungradable", 0),
        "dot": ("ungradable", 0),
        "eve": ("ungradable", 0),
        "fay": ("graded", full),
    }
    assert all(g["flags"] for g in grades.values() if g["status"] == "ungradable")
    assert grades["ann"]["path"] == str(good)
    with (tmp_path / "out" / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["student"] for row in rows] == ["'=cmd()", *sorted(grades)[1:]]
    assert len(list((tmp_path / "out" / "feedback").rglob("*.html"))) == len(grades)


def _without_roots_rights() -> list[str]:
    """What stands before a command for which modes of files shall count, root or not."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.kernel
def test_a_notebook_that_may_not_be_read_is_one_ungradable_submission(
    submit: Submit, tmp_path: Path
) -> None:
    """Under the exercise's name or another; the others are graded."""
    room = tmp_path / "class"
    submit(room / "ann", NAME, {})
    submit(room / "bob", NAME, {}).chmod(0)
    named = submit(room / "cid", NAME, {})
    named.chmod(0)
    named.rename(named.with_name("homework.ipynb"))
    mlkit = Path(sys.executable).with_name("mlkit")
    line = [*_without_roots_rights(), str(mlkit), "grade", str(room), "--trust", "--json"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grades = {s["student"]: s for s in json.loads(done.stdout)["submissions"]}
    assert (grades["ann"]["status"], grades["ann"]["flags"]) == ("not_attempted", [])
    for student in ("bob", "cid"):
        assert grades[student]["status"] == "ungradable"
        assert "cannot be read (Permission denied)" in grades[student]["flags"][0]


def test_a_worker_that_cannot_be_started_is_told_in_a_sentence(
    submit: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the grader's trouble, not the submissions'."""
    submit(tmp_path / "class" / "ann", NAME, {})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(GradingError, match="no worker can be started: No such file"):
        grade_batch(Batch(paths=[tmp_path / "class"], solutions=SOLUTIONS, trust=True))


@pytest.mark.kernel
def test_the_graders_own_trouble_is_no_grade(
    submit: Submit, grade: Grade, exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """A kernel that does not start in time makes a submission ungradable, and is not remembered."""
    submit(tmp_path / "class" / "ann", NAME, exercises[NAME].solution)
    options = {"out": tmp_path / "out", "limits": Limits(start_s=0.001)}
    ann = grade(tmp_path / "class", **options)["ann"]
    assert (ann["status"], ann["score"]) == ("ungradable", 0)
    assert ann["flags"][0].startswith("the kernel did not start")
    assert grade(tmp_path / "class", out=tmp_path / "out")["ann"]["status"] == "graded"


@pytest.mark.kernel
@pytest.mark.long
def test_grading_twice_gives_the_same_and_a_second_batch_reuses_the_first(
    submit: Submit, grade: Grade, exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """A changed submission is graded again; the others are not."""
    said: list[str] = []
    wrong = {ANSWER: "def retry_with_backoff(**settings):\n    return lambda function: function"}
    submit(tmp_path / "class" / "ann", NAME, exercises[NAME].solution)
    submit(tmp_path / "class" / "bob", NAME, wrong)
    paths, out = [tmp_path / "class"], tmp_path / "out"
    batch = Batch(paths=paths, out=out, solutions=SOLUTIONS, trust=True, workers=1)
    first, again = grade_batch(batch), grade_batch(batch, said.append)
    assert (again, said) == (first, [])
    submit(tmp_path / "class" / "bob", NAME, exercises[NAME].solution)
    later = grade_batch(batch, said.append)
    assert [line.split(": ")[:2] for line in said] == [
        ["[2/2] bob/05-retries.ipynb", said[0].split(": ")[1]],
        ["changed", "bob/05-retries"],
    ]
    assert [s["score"] for s in later["submissions"]] == [exercises[NAME].max_points] * 2
    assert grade_batch(replace(batch, fresh=True), said.append) == later
    assert len(said) == 4


@pytest.mark.kernel
def test_a_batch_that_was_killed_goes_on_where_it_stopped(
    submit: Submit, exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """What was graded is kept; no process of the first batch is left."""
    slow = f"import time\ntime.sleep(0.5)\n{exercises[NAME].solution[ANSWER]}"
    for number in range(6):
        submit(tmp_path / "class" / f"s{number}", NAME, {ANSWER: slow})
    out = tmp_path / "out"
    code = (
        "import sys; from pathlib import Path; from mlkit.grading.batch import Batch, grade_batch\n"
        "grade_batch(Batch(paths=[Path(sys.argv[1])], out=Path(sys.argv[2]), workers=1,\n"
        "                  solutions=Path(sys.argv[3]), trust=True))\n"
    )
    line = [sys.executable, "-c", code, str(tmp_path / "class"), str(out), str(SOLUTIONS)]
    process = subprocess.Popen(line, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(out.glob("verdicts/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    kept = len(list(out.glob("verdicts/*.json")))
    assert 0 < kept < 6
    said: list[str] = []
    batch = Batch(paths=[tmp_path / "class"], out=out, solutions=SOLUTIONS, trust=True, workers=1)
    document = grade_batch(batch, said.append)
    assert len(said) == 6 - kept
    assert {s["score"] for s in document["submissions"]} == {exercises[NAME].max_points}


def test_without_a_sandbox_other_peoples_folders_are_refused(
    submit: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless one says that one trusts them; then every report says so."""
    submit(tmp_path / "class" / "ann", NAME, {})
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    why_limited.cache_clear()
    try:
        with pytest.raises(GradingError, match=r"bubblewrap \(bwrap\) is not installed") as caught:
            grade_batch(Batch(paths=[tmp_path / "class"], solutions=SOLUTIONS))
        assert "--trust" in str(caught.value.remedy)
        trusted = Batch(
            paths=[tmp_path / "class"], out=tmp_path / "out", solutions=SOLUTIONS, trust=True
        )
        assert grade_batch(trusted)["isolation"] == "limited"
    finally:
        why_limited.cache_clear()
    (feedback,) = (tmp_path / "out" / "feedback").rglob("*.html")
    assert "Graded without a sandbox" in feedback.read_text(encoding="utf-8")


@pytest.mark.kernel
def test_ones_own_work_is_checked_without_a_sandbox_too(
    submit: Submit,
    exercises: Mapping[str, Exercise],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`mlkit exercises` says what is solved; `mlkit grade` asks before it trusts a folder."""
    submit(tmp_path / "work", NAME, exercises[NAME].solution)
    submit(tmp_path / "work", "01-dags", {})
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.chdir(tmp_path / "work")
    why_limited.cache_clear()
    try:
        with pytest.raises(GradingError, match="in a sandbox only"):
            grade_batch(Batch(paths=[Path(f"{NAME}.ipynb")], solutions=SOLUTIONS))
        mine = grade_batch(Batch(paths=[Path(f"{NAME}.ipynb")], solutions=SOLUTIONS, trust=True))
        rows = progress(tmp_path / "work", SOLUTIONS, _silent)["exercises"]
    finally:
        why_limited.cache_clear()
    assert mine["isolation"] == "limited"
    assert mine["submissions"][0]["score"] == exercises[NAME].max_points
    told = {row["name"]: row["status"] for row in rows}
    assert (told[NAME], told["01-dags"], told["03-idempotency"]) == (
        "solved",
        "not_attempted",
        "missing",
    )


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", encoding="utf-8")


def test_a_submission_is_of_the_student_whose_folder_or_name_it_bears(tmp_path: Path) -> None:
    """The folder directly below the class's, however deep the file; or the name of a download."""
    room = tmp_path / "class"
    _touch(room, "alice/ps1/x.ipynb", "carol/mlkit/exercises/x.ipynb", "dan/x.ipynb")
    assert [f.student for f in find_submissions([room])] == ["alice", "carol", "dan"]
    flat = tmp_path / "download"
    _touch(flat, "alice_123_x.ipynb", "bobsmith_LATE_99_1234_x-1.ipynb", "Eve Li_88_file_x.ipynb")
    assert sorted(f.student for f in find_submissions([flat])) == ["Eve Li", "alice", "bobsmith"]
    named = find_submissions([flat], "*_{student}_*.ipynb")
    assert sorted(f.student for f in named) == ["123", "88", "LATE"]
    _touch(room, "x.ipynb", "dan.ipynb/x.ipynb")  # the teacher's copy; a folder called so
    own = {f.student for f in find_submissions([room])}
    assert own == {"alice", "carol", "dan", "class", "dan.ipynb"}
    (room / "x.ipynb").unlink()
    shutil.rmtree(room / "dan.ipynb")
    _touch(tmp_path / "zoe", "x.ipynb", "old/x.ipynb")
    assert {f.student for f in find_submissions([tmp_path / "zoe"])} == {"zoe"}
    named_so = tmp_path / "exercises"
    _touch(named_so, "alice/x.ipynb", "carol/05-retries.ipynb")
    assert [f.student for f in find_submissions([named_so])] == ["alice", "carol"]
    _touch(tmp_path / "own" / "exercises", "05-retries.ipynb")
    assert [f.student for f in find_submissions([tmp_path / "own"])] == ["own"]
    assert [f.student for f in find_submissions([tmp_path / "own" / "exercises"])] == ["exercises"]
    assert [f.student for f in find_submissions([room / "dan"])] == ["dan"]
    assert [f.student for f in find_submissions([room / "dan" / "x.ipynb"])] == ["dan"]
    assert [f.student for f in find_submissions([room / "carol" / "mlkit"])] == ["mlkit"]
    assert [f.student for f in find_submissions([room], "{student}/**")] == [
        "alice",
        "carol",
        "dan",
    ]
    with pytest.raises(GradingError, match="where the student's name stands"):
        find_submissions([room], "*.ipynb")


def test_what_is_no_notebook_is_listed_all_the_same(tmp_path: Path) -> None:
    """Links to folders, archives, other endings, empty folders; a name in capitals is graded."""
    room = tmp_path / "class"
    names = ("ann/x.IPYNB", "bob/x.zip", "cid/x.ipynb.txt", "fay/notes.txt", "gil/a/b.7z")
    _touch(room, *names, "hal/a.dbc")
    (room / "dot").mkdir()
    (room / "eve").symlink_to(room / "ann")
    (room / ".git").mkdir()
    found = {f.student: f.trouble for f in find_submissions([room])}
    assert found == {
        "ann": "",
        "bob": "an archive: unpack it",
        "cid": "a notebook under another name: take '.txt' off its name",
        "dot": "a folder without a notebook",
        "eve": "a link to a folder, which is not followed",
        "fay": "a folder without a notebook",
        "gil": "an archive: unpack it",
        "hal": "an archive of Databricks: ask for an export as IPython notebook (.ipynb)",
    }
    document = grade_batch(Batch(paths=[room], solutions=SOLUTIONS, trust=True))
    assert {s["student"] for s in document["submissions"]} == set(found)
    assert {s["status"] for s in document["submissions"]} == {"ungradable"}


def test_what_students_call_their_files_does_nothing_to_who_reads_the_grades(
    submit: Submit, tmp_path: Path
) -> None:
    """Neither to a terminal nor to a spreadsheet; a teacher's own formulas and words stay."""
    names = ["\x1b[2J\x1b]0;owned\x07", "=HYPERLINK(1)", "two\nlines", "\u202egnp"]
    for student in names:
        submit(tmp_path / "class" / student, NAME, {}).rename(
            tmp_path / "class" / student / f"=1+1\x9b {NAME}.ipynb"
        )
    out = tmp_path / "out"
    batch = Batch(paths=[tmp_path / "class"], out=out, solutions=SOLUTIONS, trust=True)
    grade_batch(batch)
    table = out / "grades.csv"
    with table.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*head, "sum"], *([*row, f"=D{row[0][-2]}"] for row in rows)])
    grade_batch(batch)
    text = table.read_text(encoding="utf-8")
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
    with table.open(encoding="utf-8", newline="") as file:
        again = {row["student"]: row["sum"] for row in csv.DictReader(file)}
    assert again == {
        "\\x1b[2J\\x1b]0;owned\\x07": "=D0",
        "'=HYPERLINK(1)": "=D1",
        "two\nlines": "=De",
        "\\u202egnp": "=Dn",
    }


def test_one_student_graded_again_leaves_the_others_and_a_teachers_columns(
    submit: Submit, tmp_path: Path
) -> None:
    """The row of the submission is replaced; all else in the folder of grades stays."""
    for student in ("ann", "bob", "cid"):
        submit(tmp_path / "class" / student, NAME, {})
    out = tmp_path / "out"
    grade_batch(Batch(paths=[tmp_path / "class"], out=out, solutions=SOLUTIONS, trust=True))
    table = out / "grades.csv"
    head, *lines = table.read_text(encoding="utf-8").splitlines()
    lines = [f"{head},remark", *(f"{line},talk to {line[:3]}" for line in lines)]
    table.write_text("\n".join(lines), encoding="utf-8-sig")
    (tmp_path / "class" / "bob" / f"{NAME}.ipynb").write_text("broken", encoding="utf-8")
    again = Batch(paths=[tmp_path / "class" / "bob"], out=out, solutions=SOLUTIONS, trust=True)
    assert len(grade_batch(again)["submissions"]) == 1
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["student"], row["status"], row["remark"]) for row in rows] == [
        ("ann", "not_attempted", "talk to ann"),
        ("bob", "ungradable", "talk to bob"),
        ("cid", "not_attempted", "talk to cid"),
    ]
    written = json.loads((out / "grades.json").read_text(encoding="utf-8"))
    assert [s["status"] for s in written["submissions"]] == [row["status"] for row in rows]


def test_a_folder_for_grades_that_cannot_be_used_is_refused_before_anything_runs(
    submit: Submit, tmp_path: Path
) -> None:
    """A file of that name; grades of another program; they are left as they are."""
    submit(tmp_path / "class" / "ann", NAME, {})
    place = tmp_path / "out"

    def batch() -> Batch:
        return Batch(paths=[tmp_path / "class"], out=place, solutions=SOLUTIONS, trust=True)

    place.write_text("a file", encoding="utf-8")
    with pytest.raises(GradingError, match="grades cannot be written there"):
        grade_batch(batch())
    place.unlink()
    place.mkdir()
    for name, text in [("grades.json", '{"a": 1}'), ("grades.json", "[["), ("grades.csv", "\xff")]:
        (place / name).write_bytes(text.encode("latin-1"))
        with pytest.raises(GradingError) as caught:
            grade_batch(batch())
        assert "another --out" in str(caught.value.remedy)
        assert (place / name).read_bytes() == text.encode("latin-1")
        (place / name).unlink()


def test_a_verdict_of_another_shape_or_grader_is_none(
    submit: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands in the file; a changed grader or solution looks at everything again."""
    submit(tmp_path / "class" / "ann", NAME, {})
    batch = Batch(paths=[tmp_path / "class"], out=tmp_path / "out", solutions=SOLUTIONS, trust=True)
    said: list[str] = []
    grade_batch(batch, said.append)
    (verdict,) = (tmp_path / "out" / "verdicts").iterdir()
    right = verdict.read_text(encoding="utf-8")
    for text in ("[]", "{}", '{"verdict": 3}', '{"verdict": {"checks": [{"a": 1}]}}', "[" * 9999):
        verdict.write_text(text, encoding="utf-8")
        grade_batch(batch, said.append)
        assert verdict.read_text(encoding="utf-8") == right
    assert len(said) == 6
    grade_batch(batch, said.append)
    assert len(said) == 6
    monkeypatch.setattr("mlkit.grading.results._grader", lambda: "another grader")
    grade_batch(batch, said.append)
    assert len(said) == 7


def test_two_submissions_of_one_student_are_told(submit: Submit, tmp_path: Path) -> None:
    """Which of them counts is for a person to say."""
    submit(tmp_path / "class" / "ann" / "first", NAME, {})
    submit(tmp_path / "class" / "ann" / "second", NAME, {})
    submit(tmp_path / "class" / "bob", NAME, {})
    batch = Batch(paths=[tmp_path / "class"], solutions=SOLUTIONS, trust=True)
    flags = {s["student"]: s["flags"] for s in grade_batch(batch)["submissions"]}
    assert flags == {"ann": [f"ann has handed in {NAME} 2 times"], "bob": []}


def test_nothing_to_grade_is_said_so(tmp_path: Path) -> None:
    """Rather than an empty table."""
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(GradingError, match="there is no"):
            grade_batch(Batch(paths=[path], solutions=SOLUTIONS))
    with pytest.raises(GradingError, match="no solution notebooks"):
        grade_batch(Batch(paths=[SOLUTIONS], solutions=tmp_path))


def test_a_page_of_feedback_runs_nothing_and_shows_no_hidden_difference() -> None:
    """Whatever stands in names, messages and values is text."""
    evil = "<script>alert(1)</script>"
    difference = Difference(fact=evil, given=evil, expected="[1]")
    shown = CheckVerdict(
        id="a",
        title=evil,
        hidden=False,
        points=0,
        max=1,
        status="failed",
        message=evil,
        differences=(difference,),
    )
    hidden = CheckVerdict(
        id="b",
        title="t",
        hidden=True,
        points=0,
        max=1,
        status="failed",
        message="m",
        differences=(Difference(fact="secret fact", given="1", expected="secret value"),),
    )
    verdict = Verdict(
        path="p",
        exercise=evil,
        student=evil,
        status="graded",
        score=0,
        max=2,
        checks=(shown, hidden),
        flags=(evil,),
    )
    text = page(verdict, "sandboxed")
    assert "0 of 1 point;" in text
    assert "<script" not in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "secret" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_worker_ends_with_the_batch() -> None:
    """No worker of these tests is left, nor a sandbox."""
    mine = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if b"mlkit.grading.worker" in line and parent == os.getpid():
            mine.append(line)
    assert mine == []


def test_grades_json_is_what_is_printed(submit: Submit, tmp_path: Path) -> None:
    """One document, two places."""
    submit(tmp_path / "class" / "ann", NAME, {})
    batch = Batch(paths=[tmp_path / "class"], out=tmp_path / "out", solutions=SOLUTIONS, trust=True)
    document = grade_batch(batch)
    written = json.loads((tmp_path / "out" / "grades.json").read_text(encoding="utf-8"))
    assert written == document
    assert set(document["submissions"][0]) == {
        *("path", "exercise", "student", "status", "score", "max", "checks", "flags")
    }
    assert set(document["submissions"][0]["checks"][0]) == {
        *("id", "points", "max", "status", "message")
    }


def test_one_student_or_exercise_is_graded_again_and_no_other(
    submit: Submit, tmp_path: Path
) -> None:
    """By name or by a pattern with a star; whom nobody bears is named with the nearest."""
    for student, name in [("ann", NAME), ("anna", NAME), ("bob", NAME), ("bob", "16-schedules")]:
        submit(tmp_path / "class" / student, name, {})
    # Its name says nothing, its cells do.
    (tmp_path / "class" / "bob" / f"{NAME}.ipynb").rename(tmp_path / "class" / "bob" / "x.ipynb")
    batch = Batch(paths=[tmp_path / "class"], out=tmp_path / "out", solutions=SOLUTIONS, trust=True)
    assert len(grade_batch(batch)["submissions"]) == 4

    def graded_again(**chosen: list[str]) -> list[tuple[str, str]]:
        said: list[str] = []
        document = grade_batch(replace(batch, **chosen), said.append)  # type: ignore[arg-type]  # sequences all
        assert len(said) == len(document["submissions"])
        return [(s["student"], s["exercise"]) for s in document["submissions"]]

    assert graded_again(students=["ann"]) == [("ann", NAME)]
    assert graded_again(students=["ann*"]) == [("ann", NAME), ("anna", NAME)]
    assert graded_again(exercises=["16-*"]) == [("bob", "16-schedules")]
    assert graded_again(students=["bob"], exercises=[NAME]) == [("bob", NAME)]
    rows = json.loads((tmp_path / "out" / "grades.json").read_text(encoding="utf-8"))
    assert (len(rows["submissions"]), rows.get("complete")) == (4, None)
    with pytest.raises(GradingError, match="no student 'bop'") as caught:
        graded_again(students=["bop"])
    assert caught.value.remedy == "Did you mean 'bob'?"
    with pytest.raises(GradingError, match="no exercise '5'"):
        graded_again(exercises=["5"])


def test_what_is_graded_can_be_read_before_the_rest_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables and pages; the file says that it is not complete. A changed grade is kept."""
    monkeypatch.setattr("mlkit.grading.results.WRITE_EVERY_S", 0)
    check = CheckVerdict(id="check-x", title="x", hidden=True, points=1, max=2, status="failed")
    ann = Verdict(
        path="a", exercise=NAME, student="ann", status="graded", score=1, max=2, checks=(check,)
    )
    results = Results(tmp_path / "out")
    results.prepare()
    results.tell("limited", SOLUTIONS, ann)
    rows = json.loads((tmp_path / "out" / "grades.json").read_text(encoding="utf-8"))
    assert (rows["complete"], [row["student"] for row in rows["submissions"]]) == (False, ["ann"])
    assert len(list((tmp_path / "out" / "feedback").rglob("*.html"))) == 1
    results.write("limited", SOLUTIONS, [ann])
    assert not (tmp_path / "out" / "regrades.jsonl").exists()
    again = Results(tmp_path / "out")
    again.prepare()
    better = replace(ann, score=2, checks=(replace(check, points=2, status="passed"),))
    again.tell("limited", SOLUTIONS, better)
    again.write("limited", SOLUTIONS, [better])
    assert again.changes_text() == [f"changed: ann/{NAME}: 1 → 2"]
    (line,) = (tmp_path / "out" / "regrades.jsonl").read_text(encoding="utf-8").splitlines()
    change = json.loads(line)
    assert (change["before"]["score"], change["after"]["checks"]) == (1, {"check-x": 2})


@pytest.mark.parametrize(
    ("graded", "total", "elapsed_s", "says"),
    [
        (0, 9, 1.0, ""),
        (9, 9, 9.0, ""),
        (3, 9, 30.0, " (about 1 min 00 s left)"),
        (1, 2, 0.4, " (about 0.4 s left)"),
    ],
)
def test_the_time_left_is_told_at_the_pace_so_far(
    graded: int, total: int, elapsed_s: float, says: str
) -> None:
    """Nothing is said before there is a pace, or when nothing is left."""
    assert time_left(graded, total, elapsed_s) == says
