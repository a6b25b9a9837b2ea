"""Answers in words: pages and sheets, and the marks on their way into the teacher's table."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.cli.main import main
from mlkit.errors import GradingError
from mlkit.grading.classroom.gradebook import Gradebook, read_gradebook
from mlkit.grading.classroom.in_words import BEGINS, question_of, take_marks, write_sheets
from mlkit.grading.exercise.source import Exercise, exercise_notebook
from tests.documents import check_document

SOLUTIONS = Path(__file__).resolve().parents[3] / "solutions"
ASKING = ("01-dags", "03-idempotency")
Marks = dict[str, list[float] | None]


def graded(folder: Path, exercise: Exercise, texts: Mapping[str, str | None]) -> Path:
    """The grades of a class whose students have written something; None: the cell as it was."""
    rows = []
    for student, text in texts.items():
        notebook = exercise_notebook(exercise)
        for cell in notebook["cells"]:
            if cell["id"] == "written-answer" and text is not None:
                cell["source"] = text
        path = folder / "collected" / student / f"{exercise.name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        row = {"path": str(path), "student": student, "exercise": exercise.name, "checks": []}
        rows.append({**row, "status": "graded", "score": 3, "max": 11, "flags": []})
    grades = folder / "grades"
    grades.mkdir(exist_ok=True)
    # One solution alone: reading all of them again and again would take long.
    solutions = folder / "solutions"
    solutions.mkdir(exist_ok=True)
    shutil.copy(SOLUTIONS / f"{exercise.name}.ipynb", solutions)
    document = {"submissions": rows, "solutions": str(solutions), "complete": True}
    (grades / "grades.json").write_text(json.dumps(document), encoding="utf-8")
    return grades


def fill(sheet: Path, marks: Marks, comment: str = "") -> None:
    """Write points into a sheet, as a spreadsheet would."""
    lines = list(csv.reader(io.StringIO(sheet.read_text(encoding="utf-8"), newline="")))
    for line in lines[1:]:
        points = marks[line[0]]
        if points is not None:
            line[3:] = [*(f"{value:g}" for value in points), comment]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    sheet.write_text(text.getvalue(), encoding="utf-8")


@pytest.mark.parametrize("name", ASKING)
def test_an_exercise_that_asks_for_words_has_a_rubric_and_a_model_answer(
    name: str, exercises: Mapping[str, Exercise]
) -> None:
    """Read from the same cells that learners mark themselves by."""
    question = question_of(exercises[name])
    assert question is not None
    assert [[points for points, _ in line.levels] for line in question.rubric] == [[0, 2, 4]] * 3
    assert question.most == 12
    assert all(words for line in question.rubric for _, words in line.levels)
    assert len(question.model.split()) > 80
    assert "words" in question.asks


def test_no_other_exercise_asks_for_words(exercises: Mapping[str, Exercise]) -> None:
    """And what has no such cells has no question."""
    assert {n for n, one in exercises.items() if question_of(one) is not None} == set(ASKING)


def test_a_page_shows_every_answer_as_text(
    exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """What a learner wrote is never markup; who wrote nothing is named, too."""
    texts = {"ann": "<script>alert(1)</script> & *steps*", "bob": None, "cid": "=1+1"}
    book = read_gradebook(graded(tmp_path, exercises["01-dags"], texts))
    found = write_sheets(book, tmp_path / "out")
    (question,) = found["questions"]
    assert (question["answers"], question["marked"], question["max"]) == (2, 0, 12)
    page = Path(question["page"]).read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; *steps*" in page
    assert page.count("Nothing was") == 1
    lines = list(csv.reader(io.StringIO(Path(question["sheet"]).read_text(encoding="utf-8"))))
    assert lines[0][:3] == ["student", "name", "answer"]
    assert [line[2] for line in lines[1:]] == [texts["ann"], "", "'=1+1"]


def test_a_notebook_that_cannot_be_read_is_said_to_be_so(
    exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """At its student's place; the others are shown all the same."""
    grades = graded(tmp_path, exercises["01-dags"], {"ann": "steps", "bob": "arrows"})
    (tmp_path / "collected" / "bob" / "01-dags.ipynb").write_text("{", encoding="utf-8")
    found = write_sheets(read_gradebook(grades), tmp_path / "out")
    page = Path(found["questions"][0]["page"]).read_text(encoding="utf-8")
    assert "it is not valid JSON" in page
    assert "steps" in page


POINTS = st.lists(st.sampled_from([0.0, 1.5, 2.0, 4.0]), min_size=3, max_size=3)
MARKS = st.fixed_dictionaries({name: st.none() | POINTS for name in ("ann", "bob", "cid")})


@pytest.mark.long
@given(first=MARKS, then=MARKS, comment=st.sampled_from(["", "Good, clear.", 'A "word"\nmore']))
@settings(max_examples=10, deadline=None)
def test_marks_come_back_once_whatever_is_written_and_taken_in_between(
    first: Marks,
    then: Marks,
    comment: str,
    exercises: Mapping[str, Exercise],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The points are those of the sheet as it is last; the teacher's own lines stay."""
    folder = tmp_path_factory.mktemp("class")
    grades = graded(folder, exercises["03-idempotency"], dict.fromkeys(first, "Rows twice."))
    own = "student,exercise,check,points,adjust,comment\nann,03-idempotency,,,0.5,Asked well.\n"
    (grades / "manual.csv").write_text(own, encoding="utf-8")
    out = folder / "written"
    sheet = Path(write_sheets(read_gradebook(grades), out)["questions"][0]["sheet"])
    for marks in (first, then):
        fill(sheet, marks, comment)
        take_marks(read_gradebook(grades), out)
        before = sheet.read_bytes(), (grades / "manual.csv").read_bytes()
        write_sheets(read_gradebook(grades), out)
        take_marks(read_gradebook(grades), out)
        assert (sheet.read_bytes(), (grades / "manual.csv").read_bytes()) == before
    wanted = {name: then[name] if then[name] is not None else first[name] for name in first}
    book = read_gradebook(grades)
    for name, points in wanted.items():
        mark = book.marks[name, "03-idempotency"]
        assert mark.adjust == sum(points or ()) + (0.5 if name == "ann" else 0)
        said = [text for text in mark.comments if text.startswith(BEGINS)]
        assert len(said) == (points is not None)
        assert all(comment.split("\n")[0] in text for text in said)
    assert "Asked well." in book.marks["ann", "03-idempotency"].comments


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("steps,4,4,4,", "steps,4,,4,", "the points for 'Why it matters' are empty"),
        ("steps,4,4,4,", "steps,4,5,4,", "the points for 'Why it matters' are '5'"),
        ("steps,4,4,4,", "steps,4,much,4,", "the points for 'Why it matters' are 'much'"),
        ("steps,4,4,4,", "steps,4,-1,4,", "the points for 'Why it matters' are '-1'"),
        ("ann,ann", "zoe,zoe", "'zoe' is nobody of this class"),
        ("Why it matters", "Why", "the sheet has no column 'Why it matters'"),
    ],
)
def test_a_mark_that_is_none_is_refused_with_its_line(
    old: str, new: str, says: str, exercises: Mapping[str, Exercise], tmp_path: Path
) -> None:
    """And the teacher's table is not touched."""
    book = _marked(exercises["01-dags"], tmp_path)
    sheet = tmp_path / "written" / "01-dags.csv"
    text = sheet.read_text(encoding="utf-8")
    assert old in text
    sheet.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(GradingError) as told:
        take_marks(book, tmp_path / "written")
    assert says in told.value.message
    assert (str(told.value.file), told.value.line) == (str(sheet), 1 if "column" in says else 2)
    assert told.value.remedy
    assert not (tmp_path / "grades" / "manual.csv").exists()


def test_marks_are_taken_by_the_command(
    exercises: Mapping[str, Exercise], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both of its documents keep to the schema; without a sheet there is nothing to take."""
    _marked(exercises["01-dags"], tmp_path)
    grades, out = str(tmp_path / "grades"), str(tmp_path / "written")

    def call(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["class", "written", grades, *words])
        return int(ended.value.code or 0), capsys.readouterr().out

    for words, manual in ((["--take"], f"{grades}/manual.csv"), ([], None)):
        code, shown = call("--to", out, "--json", *words)
        document = json.loads(shown)
        check_document("class written", document)
        assert (code, document["manual"], document["questions"][0]["marked"]) == (0, manual, 1)
    code, text = call("--to", out, "--take")
    assert (code, "1 answer, 1 marked" in text) == (0, True)
    assert "manual.csv" in " ".join(text.split())
    code, shown = call("--to", str(tmp_path / "none"), "--take", "--json")
    assert (code, json.loads(shown)["error"]["message"]) == (2, "there is no sheet here")


def _marked(exercise: Exercise, folder: Path) -> Gradebook:
    book = read_gradebook(graded(folder, exercise, {"ann": "steps"}))
    (question,) = write_sheets(book, folder / "written")["questions"]
    fill(Path(question["sheet"]), {"ann": [4, 4, 4]})
    return book
