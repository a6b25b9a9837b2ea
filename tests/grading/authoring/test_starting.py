"""A new exercise works at once, and nothing that is there is touched."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from mlkit.errors import GradingError
from mlkit.grading.authoring.starting import begin
from mlkit.grading.exercise.source import exercise_notebook, load_exercise, notebook_text


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("mean", "mean"),
        ("03-mean-delay", "mean_delay"),
        ("class", "class_of"),
        ("sum", "sum_of"),
        ("outcome", "outcome_of"),
        ("07", "answer"),
        ("the-mean-of-x", "the_mean_of_x"),
        ("a" * 40, "a" * 40),
    ],
)
def test_any_name_gives_a_whole_exercise(name: str, function: str, tmp_path: Path) -> None:
    """Its function is one that Python takes, and its cells are named after it."""
    begin(name, tmp_path)
    exercise = load_exercise(tmp_path / f"{name}.ipynb")
    answer = f"answer-{function.replace('_', '-')}"
    assert list(exercise.answers) == [answer]
    assert exercise.answers[answer].startswith(f"def {function}(")
    assert exercise.max_points == 3
    assert exercise.words is not None
    assert sum(case.kind == "wrong" for case in exercise.words.recorded) == 3
    for document in (exercise.notebook, exercise_notebook(exercise)):
        nbformat.validate(nbformat.reads(notebook_text(document), as_version=4))  # type: ignore[no-untyped-call]  # untyped library


def test_the_notebook_that_is_written_is_valid_and_has_its_title(tmp_path: Path) -> None:
    """Its own text, not the one that is made of it."""
    begin("mean", tmp_path, title="Delays\nby carrier")
    text = (tmp_path / "mean.ipynb").read_text(encoding="utf-8")
    nbformat.validate(nbformat.reads(text, as_version=4))  # type: ignore[no-untyped-call]  # untyped library
    assert load_exercise(tmp_path / "mean.ipynb").title == "Delays by carrier"


def test_data_stand_beside_the_notebook_and_are_named(tmp_path: Path) -> None:
    """And the notebook knows where."""
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    folder = tmp_path / "solutions"
    written = begin("mean", folder, data=[tmp_path / "a.csv", tmp_path / "b.csv"])
    assert (folder / "data" / "a.csv") in written
    exercise = load_exercise(folder / "mean.ipynb")
    assert list(exercise.data) == ["data/a.csv", "data/b.csv"]
    cells = json.loads((folder / "mean.ipynb").read_text(encoding="utf-8"))["cells"]
    assert any('Path("data/a.csv")' in "".join(cell["source"]) for cell in cells)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "ä", "x.y", "a/b", "a" * 41, "x\n"])
def test_what_cannot_be_a_name_is_refused(name: str, tmp_path: Path) -> None:
    """And nothing is written."""
    with pytest.raises(GradingError, match="cannot be the name"):
        begin(name, tmp_path / "solutions")
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    """Neither a solution nor data, and then nothing is written at all."""
    (tmp_path / "a.csv").write_text("new", encoding="utf-8")
    folder = tmp_path / "solutions"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("old", encoding="utf-8")
    (folder / "mean.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(GradingError, match="already") as caught:
        begin("mean", folder)
    assert caught.value.file == str(folder / "mean.yaml")
    with pytest.raises(GradingError, match="already"):
        begin("other", folder, data=[tmp_path / "a.csv"])
    with pytest.raises(GradingError, match="no such file"):
        begin("other", folder, data=[tmp_path / "absent.csv"])
    with pytest.raises(GradingError, match="no folder"):
        begin("other", tmp_path / "a.csv")
    assert sorted(p.name for p in folder.rglob("*")) == ["a.csv", "data", "mean.yaml"]
    assert (folder / "data" / "a.csv").read_text(encoding="utf-8") == "old"


def test_a_place_that_cannot_be_written_is_told_and_left_as_it_was(tmp_path: Path) -> None:
    """Not a traceback, and no half of an exercise."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(GradingError, match="cannot be written") as caught:
        begin("mean", tmp_path / "file" / "solutions")
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
