"""NAME.yaml: what people write about an exercise, and every mistake in it by its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlkit.errors import GradingError
from mlkit.grading.exercise.source import (
    exercise_identity,
    exercise_notebook,
    load_exercise,
    read_exercise,
)
from mlkit.grading.exercise.words import data_files, read_words

Change = Callable[[str, str], None]


def test_words_become_what_checks_say(solutions: Path) -> None:
    """As if they stood in the cells' metadata."""
    exercise = load_exercise(solutions / "mean.ipynb")
    shown, hidden = exercise.checks
    assert (shown.id, shown.points, shown.answers) == ("check-mean", 1, ("answer-mean",))
    assert (hidden.id, hidden.hidden, hidden.points) == ("check-mean-other", True, 2)
    assert shown.misconceptions[0]["when"] == {"three": 9}
    assert len(shown.hints) == 3
    cells = {cell["id"]: cell for cell in exercise_notebook(exercise)["cells"]}
    assert cells["check-mean"]["metadata"]["mlkit"]["title"] == shown.title
    assert "for-the-author" not in cells


def test_an_exercise_without_words_is_one_all_the_same(tmp_path: Path) -> None:
    """All of it may stand in the notebook."""
    words = read_words(tmp_path / "x.ipynb")
    assert (words.checks, words.data, words.faults) == ({}, (), ())


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("chekcs: {}", 1, "unknown key 'chekcs'"),
        ("data: []\nchecks:\n  check-a: {titel: x}", 3, "unknown key 'titel'"),
        ("checks:\n  check-a: {points: many}", 2, "under 'points' no number"),
        ("checks:\n  check-a: {points: true}", 2, "under 'points' no number"),
        ("checks: []", 1, "under 'checks' no mapping"),
        ("checks:\n  check-a: 3", 2, "'check-a' holds no words"),
        ("checks:\n  check-a:\n    misconceptions:\n    - when: {a: 1}", 4, "no sentence 'say'"),
        ("limits: {cel_s: 3}", 1, "unknown key 'cel_s'"),
        ("packages: [3]", 1, "3 is no text"),
        ("data:\n- a.csv", 2, "'a.csv' are not there"),
        ("data:\n- ../x.csv", 2, "do not lie below"),
        ("data: [/etc/passwd]", 1, "do not lie below"),
        ("data: [x.ipynb]", 1, "belongs to a solution"),
        ("data: [x.yaml]", 1, "belongs to a solution"),
        ("data: [.]", 1, "do not lie below"),
        ("data: [empty]", 1, "hold no file"),
        ("data: [out.csv]", 1, "outside the notebook's folder"),
        ("wrong:\n- name: a\n  answers: {answer-a: x}", 2, "has no 'caught_by'"),
        ("wrong:\n- 3", 2, "a wrong answer is no mapping"),
        ("wrong:\n- {name: a, answers: {a: x}, caught_by: c, says: ''}", 2, "has no 'says'"),
        ("right:\n- name: a\n  answers: {answer-a: 3}", 2, "an answer of 'a' is no text"),
        ("right:\n- name: a\n  above: {answer-a: 3}", 2, "an answer of 'a' is no text"),
        ("right:\n- name: a", 2, "a right answer has no 'answers'"),
        ("right:\n- name: a\n  edits: {answer-a: [{old: x}]}", 2, "an edit of 'a' replaces"),
        ("right:\n- name: a\n  edits: {answer-a: {old: x, new: y}}", 2, "an edit of 'a' repl"),
        ("right:\n- name: a\n  edits: {answer-a: [{old: x, new: 3}]}", 2, "an edit of 'a' rep"),
        ("a: [", 1, "not YAML"),
        ("checks:\n  a: 1\n  a: 2", 3, "not YAML"),
        ("- a", 1, "holds no mapping"),
    ],
)
def test_a_mistake_is_told_with_its_line(
    text: str, line: int, message: str, tmp_path: Path
) -> None:
    """All at once, so that one need not ask again for the next."""
    folder = tmp_path / "solutions"
    (folder / "empty").mkdir(parents=True)
    (folder / "x.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "far.csv").write_text("", encoding="utf-8")
    (folder / "out.csv").symlink_to(tmp_path / "far.csv")
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    faults = read_words(folder / "x.ipynb").faults
    assert message in faults[0].message
    assert faults[0].file == str(folder / "x.yaml")
    assert faults[0].line is not None
    assert abs(faults[0].line - line) <= ("not YAML" in message)


def test_words_about_what_the_notebook_has_not_are_refused(solutions: Path, words: Change) -> None:
    """With the nearest name."""
    words("  check-mean-other:", "  check-mean-others:")
    with pytest.raises(GradingError, match="a check 'check-mean-others'") as caught:
        load_exercise(solutions / "mean.ipynb")
    assert caught.value.file == str(solutions / "mean.yaml")
    assert "Did you mean 'check-mean-other'?" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("wrong:\n- 3", 2, "a wrong answer is no mapping"),
        ("checks: {}", 1, "unknown key 'checks'"),
        ("- name: a", 1, "holds no mapping"),
        ("right:\n- {name: a, answers: {answer-men: x}}", 2, "answers 'answer-men', which no"),
        ("right:\n- {name: a, below: {answer-men: x}}", 2, "answers 'answer-men', which no cell"),
        (
            "right:\n- {name: a, edits: {answer-mean: [{old: no such text, new: x}]}}",
            2,
            "'a' replaces what 'answer-mean' does not hold: 'no such text'",
        ),
        (
            "wrong:\n- {name: a, answers: {answer-mean: x}, caught_by: check-men, says: x}",
            2,
            "caught by 'check-men', which is no check",
        ),
    ],
)
def test_a_mistake_in_a_folder_of_answers_is_told_with_its_file(
    text: str, line: int, message: str, solutions: Path
) -> None:
    """By who tries the exercise; who grades or hands it out does not read the folder."""
    file = solutions / "mean.answers" / "slips.yaml"
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    (fault,) = read_exercise(solutions / "mean.ipynb", with_folder=True)[1]
    assert message in fault.message
    assert (fault.file, fault.line) == (str(file), line)
    assert read_exercise(solutions / "mean.ipynb")[1] == []


def test_equal_conditions_are_told_at_the_words_that_hold_them(
    solutions: Path, words: Change
) -> None:
    """The line is that of the check in the .yaml."""
    words("kinds: {empty: error}", "when: {three: 9}")
    with pytest.raises(GradingError, match="equal conditions") as caught:
        load_exercise(solutions / "mean.ipynb")
    text = (solutions / "mean.yaml").read_text(encoding="utf-8").splitlines()
    assert caught.value.line is not None
    assert text[caught.value.line - 1] == "  check-mean:"


def test_a_folder_of_data_is_all_its_files_but_hidden_ones(tmp_path: Path) -> None:
    """By the names that the notebook reads them by."""
    for name in ("data/a.csv", "data/deep/b.csv", "data/.cache/c.csv", "data/.DS_Store"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    assert list(data_files(tmp_path, ["data"])) == ["data/a.csv", "data/deep/b.csv"]
    assert data_files(tmp_path, ["data/a.csv"]) == {"data/a.csv": tmp_path / "data/a.csv"}


def test_an_exercise_is_another_when_its_words_or_data_are(solutions: Path, words: Change) -> None:
    """Grades that were kept are of the exercise as it was."""
    path = solutions / "mean.ipynb"
    seen = [exercise_identity(path)]
    words("points: 2", "points: 3")
    seen.append(exercise_identity(path))
    (solutions / "a.csv").write_text("1", encoding="utf-8")
    words("data: []", "data: [a.csv]")
    seen.append(exercise_identity(path))
    (solutions / "a.csv").write_text("2", encoding="utf-8")
    seen.append(exercise_identity(path))
    assert len(set(seen)) == 4
    assert exercise_identity(path) == seen[-1]
