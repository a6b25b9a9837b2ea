"""What a teacher adds to grades.csv stays, whatever spreadsheet has saved it meanwhile."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
from pathlib import Path

import pytest

from mlkit.errors import GradingError
from mlkit.grading.results import COLUMNS, Results
from mlkit.grading.verdict.verdict import Verdict, ungradable

SAVED = {
    "plain": ("utf-8", ",", "\n", ""),
    "Excel, CSV UTF-8": ("utf-8-sig", ",", "\r\n", ""),
    "Excel where commas are decimal": ("utf-8-sig", ";", "\r\n", ""),
    "Excel, with its hint": ("utf-8-sig", ";", "\r\n", "sep=;\r\n"),
    "Excel, Unicode text": ("utf-16", "\t", "\r\n", ""),
    "LibreOffice": ("utf-8", "\t", "\n", ""),
}


def _verdict(student: str) -> Verdict:
    return ungradable(f"/class/{student}/x.ipynb", student, 'broken; and, "odd"')


def _grade(out: Path, *students: str) -> None:
    results = Results(out)
    results.prepare()
    results.write("sandboxed", out, [_verdict(student) for student in students])


def _rows(out: Path) -> list[dict[str, str]]:
    with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _save(out: Path, rows: list[dict[str, str]], way: str) -> None:
    """As a spreadsheet does it."""
    encoding, separator, ends, hint = SAVED[way]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=separator, lineterminator=ends)
    writer.writeheader()
    writer.writerows(rows)
    (out / "grades.csv").write_bytes((hint + text.getvalue()).encode(encoding))


@pytest.mark.parametrize("way", SAVED)
def test_a_teachers_columns_stay_however_the_table_was_saved(way: str, tmp_path: Path) -> None:
    """In another order, too; the table that is written is as it always was."""
    _grade(tmp_path, "ann", "bob", "Çid")
    rows = [
        {**row, "Talk to": f'{row["student"]}; ask, "why"\nsoon', "+/-": "=D2"}
        for row in _rows(tmp_path)
    ]
    _save(tmp_path, rows[::-1], way)
    _grade(tmp_path, "bob")
    assert _rows(tmp_path) == rows


def test_a_line_about_no_submission_stays(tmp_path: Path) -> None:
    """Somebody who handed in nothing, and was ill, say."""
    _grade(tmp_path, "ann")
    rows = [{**row, "note": ""} for row in _rows(tmp_path)]
    ill = {**dict.fromkeys(COLUMNS, ""), "student": "eve", "note": "ill"}
    _save(tmp_path, [ill, *rows], "Excel where commas are decimal")
    for _ in range(2):
        _grade(tmp_path, "ann", "bob")
    assert [(row["student"], row["note"]) for row in _rows(tmp_path)] == [
        ("ann", ""),
        ("bob", ""),
        ("eve", "ill"),
    ]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("student,note\nann,hello\n", "there is no column 'path'"),
        ("student,path,\nann,/a,hello\n", "'hello' stands in a column without a title"),
        ("student,path,note,Note\nann,/a,1,2\n", "two columns have the title 'Note'"),
        ('student,path,note\nann,/a,"hello\n', "cannot be read"),
    ],
)
def test_what_would_be_lost_is_refused_before_anything_is_graded(
    text: str, fact: str, tmp_path: Path
) -> None:
    """With the file and a remedy, and the table stays."""
    table = tmp_path / "grades.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(GradingError, match=fact) as told:
        Results(tmp_path).prepare()
    assert told.value.file == str(table)
    assert told.value.remedy
    assert table.read_text(encoding="utf-8") == text


def test_batches_at_once_into_one_folder_lose_no_row(tmp_path: Path) -> None:
    """Each adds to what the others have written."""
    students = [f"s{number:02}" for number in range(24)]
    processes = [
        multiprocessing.get_context("fork").Process(target=_grade_each, args=(tmp_path, part))
        for part in (students[0::4], students[1::4], students[2::4], students[3::4])
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert [row["student"] for row in _rows(tmp_path)] == students
    written = json.loads((tmp_path / "grades.json").read_text(encoding="utf-8"))
    assert [row["student"] for row in written["submissions"]] == students


def _grade_each(out: Path, students: list[str]) -> None:
    for student in students:
        _grade(out, student)
