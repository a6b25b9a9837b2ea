"""What would keep an exercise from running on another machine is found in its code."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.grading.authoring.second_machine import hindrances
from mlkit.grading.exercise.roles import read_notebook_file, role_ids
from mlkit.grading.exercise.source import load_exercise
from tests.grading.conftest import Edit, cell


def _found(solutions: Path) -> list[tuple[str, int | None, str | None]]:
    path = solutions / "mean.ipynb"
    ids = role_ids(read_notebook_file(path), path)
    found = hindrances(load_exercise(path), path, ids)
    return [(error.message, error.line, error.remedy) for error in found]


def test_a_new_exercise_has_nothing_of_the_kind(solutions: Path) -> None:
    """Standard library, mlkit, and what mlkit brings along."""
    assert _found(solutions) == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("open('{here}/rows.csv')", "a place on this machine"),
        ("open(f'{here}/rows.csv' + '')", "a place on this machine"),
        ("Path('~/')", "a place on this machine"),
        ("open('{temporary}')", "a place on this machine"),
        ("open('../far.csv')", "outside the exercise's folder"),
        ("open('rows.csv')", "not named under 'data'"),
        ("open('absent.csv')", ""),
        ("'/home/nobody-here/x.csv'", ""),
        ("'/tmp'; '/usr/bin'; '/'; '..'", ""),
        ("import own", "a file that learners do not get"),
        ("from own import f", "a file that learners do not get"),
        ("import no_such_package", "does not bring along"),
        ("import moto.core", "does not bring along"),
        ("import pandas, numpy, sklearn.tree", ""),
        ("%matplotlib inline\nopen('rows.csv')", "not named under 'data'"),
        ("def (", ""),
    ],
)
@pytest.mark.long
def test_places_files_and_packages_of_this_machine_are_found(
    code: str, told: str, solutions: Path, notebook: Edit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With the line; what is only a text, and no place, is left alone."""
    temporary = str(tmp_path_factory.mktemp("elsewhere") / "left.csv")
    Path(temporary).write_text("", encoding="utf-8")
    (solutions / "rows.csv").write_text("", encoding="utf-8")
    (solutions / "own.py").write_text("", encoding="utf-8")
    (solutions.parent / "far.csv").write_text("", encoding="utf-8")
    text = "x = 1\n" + code.replace("{here}/rows.csv", __file__).replace("{temporary}", temporary)

    def change(document: dict[str, object]) -> None:
        cell(document, "setup")["source"] = text.splitlines(keepends=True)

    notebook(change)
    found = _found(solutions)
    if not told:
        assert found == []
        return
    ((message, line, remedy),) = found
    assert told in message
    assert remedy
    lines = (solutions / "mean.ipynb").read_text(encoding="utf-8").splitlines()
    assert line is not None
    assert code.splitlines()[-1].split("(")[0].split("'")[0] in lines[line - 1]


def test_what_is_declared_is_no_hindrance(solutions: Path, notebook: Edit) -> None:
    """Data and packages that learners get."""
    (solutions / "rows.csv").write_text("", encoding="utf-8")
    (solutions / "own.py").write_text("", encoding="utf-8")
    path = solutions / "mean.yaml"
    text = path.read_text(encoding="utf-8").replace("data: []", "data: [rows.csv, own.py]")
    path.write_text(text.replace("packages: []", "packages: ['moto>=5']"), encoding="utf-8")

    def change(document: dict[str, object]) -> None:
        cell(document, "setup")["source"] = "import moto\nopen('rows.csv')\nimport own\n"

    notebook(change)
    assert _found(solutions) == []
