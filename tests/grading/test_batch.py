"""Batches: side by side, resumable, honest about isolation, and told in tables and pages."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.errors import GradingError
from mlkit.grading.batch import Batch, grade_batch
from mlkit.grading.feedback import page
from mlkit.grading.limits import Limits
from mlkit.grading.progress import progress
from mlkit.grading.sandbox import why_limited
from mlkit.grading.source import Exercise
from mlkit.grading.verdict import CheckVerdict, Difference, Verdict

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
    line = [*_without_roots_rights(), mlkit, "grade", room, "--trust", "--json"]
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
def test_grading_twice_gives_the_same_and_a_second_batch_reuses_the_first(
    submit: Submit, grade: Grade, exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """A changed submission is graded again; the others are not."""
    said: list[str] = []
    wrong = {ANSWER: "def retry_with_backoff(**settings):\n    return lambda function: function"}
    submit(tmp_path / "class" / "ann", NAME, exercises[NAME].solution)
    submit(tmp_path / "class" / "bob", NAME, wrong)
    paths, out = [tmp_path / "class"], tmp_path / "out"
    first = grade_batch(Batch(paths=paths, out=out, solutions=SOLUTIONS, trust=True))
    again = grade_batch(Batch(paths=paths, out=out, solutions=SOLUTIONS, trust=True), said.append)
    assert (again, said) == (first, [])
    submit(tmp_path / "class" / "bob", NAME, exercises[NAME].solution)
    later = grade_batch(Batch(paths=paths, out=out, solutions=SOLUTIONS, trust=True), said.append)
    assert [line.split(":")[0] for line in said] == ["[2/2] bob/05-retries.ipynb"]
    assert [s["score"] for s in later["submissions"]] == [exercises[NAME].max_points] * 2
    fresh = Batch(paths=paths, out=out, solutions=SOLUTIONS, trust=True, fresh=True)
    assert grade_batch(fresh, said.append) == later
    assert len(said) == 3


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
    batch = Batch(paths=[tmp_path / "class"], out=out, solutions=SOLUTIONS, trust=True)
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
    difference = Difference(fact=evil, given=evil, expected=[1])
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
        differences=(Difference(fact="secret fact", given=1, expected="secret value"),),
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
