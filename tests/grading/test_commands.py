"""`mlkit grade` and `mlkit exercises`: exit codes, one JSON document, people's text beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mlkit.cli.main import main
from mlkit.grading.exercise.source import Exercise
from tests.documents import check_document

NAME = "05-retries"
Submit = Callable[..., Path]


def _call(*words: str | Path) -> int:
    """Call the command line in this process and give its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


@pytest.mark.kernel
def test_grade_prints_one_document_and_ends_with_0_whatever_the_scores(
    submit: Submit,
    exercises: Mapping[str, Exercise],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ungradable submissions are told of on standard error too."""
    submit(tmp_path / "class" / "ann", NAME, exercises[NAME].solution)
    broken = submit(tmp_path / "class" / "bob", NAME, {})
    broken.write_text("no json", encoding="utf-8")
    words = ("grade", tmp_path / "class", "--out", tmp_path / "out", "--trust")
    assert _call(*words, "--json") == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    check_document("grade", document)
    assert [s["status"] for s in document["submissions"]] == ["graded", "ungradable"]
    assert "ungradable: " in printed.err
    assert _call(*words) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ann  05-retries  11 of 11",
        "bob  05-retries  ungradable",
    ]


@pytest.mark.kernel
def test_odd_names_and_texts_do_nothing_to_a_terminal(
    submit: Submit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes that are no UTF-8, escape sequences, half characters in an exception."""
    folder = tmp_path / "class" / os.fsdecode(b"\xff\x1b[31m")
    submit(folder, NAME, {"answer-retry-with-backoff": "raise ValueError('\\ud800 \\x1b[31m')"})
    words = ("grade", tmp_path / "class", "--out", tmp_path / "out", "--trust")
    assert _call(*words, "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["submissions"][0]["status"] == "graded"
    assert _call(*words) == 0
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err


def test_nothing_to_grade_ends_with_2_and_an_error_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything runs."""
    assert _call("grade", tmp_path / "absent", "--json") == 2
    assert "no such file" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert _call("grade") == 2


def test_exercises_lists_every_exercise(
    submit: Submit,
    exercises: Mapping[str, Exercise],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Those that are untouched, and those that are not there."""
    submit(tmp_path, NAME, {})
    assert _call("exercises", "--folder", tmp_path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    check_document("exercises", document)
    rows = document["exercises"]
    assert [row["name"] for row in rows] == sorted(exercises)
    assert {row["name"]: row["status"] for row in rows}[NAME] == "not_attempted"
    assert _call("exercises", "--folder", tmp_path) == 0
    line = next(row for row in capsys.readouterr().out.splitlines() if NAME in row)
    assert line.startswith("· not attempted  0 of 11")
