"""A week by its commands: each with text and JSON, and mistakes told before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlkit.cli.main import main
from mlkit.testing.sample_class import EXERCISE, write_sample
from tests.documents import check_document

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Call the command line in a folder whose name is odd: (exit code, stdout, stderr)."""
    home = tmp_path / "my class ü"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "80")

    def run(line: str, *words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*line.split(), *words])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


COLLECT = "class collect download.zip --roster roster.csv --times times.csv --due 2026-10-01"


@pytest.mark.kernel
def test_a_class_goes_through_its_week(call: Call) -> None:
    """Collected, graded, returned, learnt from; text fits 80 columns, JSON is one document."""
    write_sample(Path())
    code, text, _ = call(COLLECT, "--late", "10% per day", "--timezone", "UTC")
    assert code == 0
    assert "4 submissions of 4 students" in text
    assert "homework.ipynb" in text
    assert call("grade collected --trust --workers 2")[0] == 0
    Path("grades/manual.csv").write_text(
        f"student;exercise;check;points;adjust;comment\neve;{EXERCISE};;6;;Shown to me.\n",
        encoding="utf-8-sig",
    )
    code, shown, _ = call("class return grades --json")
    assert code == 0
    check_document("class return", json.loads(shown))
    check_document("class collect", json.loads(Path("collected/collection.json").read_text()))
    scores = {s["student"]: s["score"] for s in json.loads(shown)["students"]}
    assert scores.keys() == {"ann", "bob", "cid", "dot", "eve"}
    assert (scores["ann"], scores["dot"], scores["eve"]) == (11, 0, 6)
    assert 0 < scores["bob"] == pytest.approx(scores["cid"] * 0.9)
    code, learnt, told = call("class stats grades --html stats.html --json")
    document = json.loads(learnt)
    check_document("class stats", document)
    assert (code, told) == (0, "The page is in stats.html.\n")
    assert [a["students"] for a in document["alike"]["answers"]] == [["bob", "cid"]]
    assert Path("stats.html").read_text(encoding="utf-8").count("<svg") == 1
    for command in ("class return grades", "class stats grades", COLLECT):
        code, text, _ = call(command)
        assert code == 0
        assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("class collect absent", "absent: there is no such file or folder"),
        (f"{COLLECT} --which newest", "--which is 'newest'"),
        (f"{COLLECT} --late often", "'often' is no rule"),
        (f"{COLLECT} --grace soon", "'soon' is not a duration"),
        (f"{COLLECT} --due 05-retrys=2026-10-01", "Did you mean '05-retries'?"),
        (f"{COLLECT} --due tomorrow", "'tomorrow' is no time"),
        (f"{COLLECT} --timezone Mars", "no time zone 'Mars'"),
        (f"{COLLECT} --student *.ipynb", "where the student's name stands"),
        (f"{COLLECT} --student {{student}}{{day}}", "has {day} in it, which means nothing"),
        (f"{COLLECT} --extensions times.csv", "times.csv:2: '' is no time"),
        (f"{COLLECT} --to download.zip", "download.zip: this is a file"),
        ("class return absent", "there are no grades here"),
        ("class stats absent", "Grade first: mlkit grade"),
        ("class return grades --title 05-retries", "names no title"),
        ("grade collected --student {student} --student {student}/x", "has two patterns"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(line: str, says: str, call: Call) -> None:
    """Exit code 2, with the remedy; and as one document with --json."""
    write_sample(Path())
    before = sorted(Path().rglob("*"))
    code, _, err = call(line)
    assert (code, says in " ".join(err.split())) == (2, True), err
    assert "Traceback" not in err
    code, out, _ = call(f"{line} --json")
    error: dict[str, Any] = json.loads(out)["error"]
    assert code == 2
    assert error["message"]
    assert error["remedy"]
    assert sorted(Path().rglob("*")) == before
