"""What learners are given holds no solution, and works by itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from mlkit.errors import GradingError
from mlkit.grading.authoring.release import release
from mlkit.grading.authoring.starting import begin
from mlkit.grading.exercise.source import load_exercise
from mlkit.grading.exercise_progress import check_notebooks, progress
from mlkit.grading.sandbox.trial import why_limited
from mlkit.grading.submissions import find_submissions
from mlkit.inside.checks.checking import check as feedback
from tests.grading.conftest import Edit, cell

Change = Callable[[str, str], None]
SECRET = (
    "SOLUTION",
    "sum(numbers) / len",
    "7.25",
    "check-mean-other",
    "need not be whole",
    "fmean",
)


def _texts(folder: Path) -> str:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return "".join(path.read_text(encoding="utf-8") for path in paths)


def _say(text: str) -> None:
    """Say nothing."""


def _write_answer(folder: Path, source: str) -> None:
    path = folder / "exercises" / "mean.ipynb"
    document = json.loads(path.read_text(encoding="utf-8"))
    cell(document, "answer-mean")["source"] = source
    path.write_text(json.dumps(document), encoding="utf-8")


def test_no_file_for_learners_holds_a_solution_or_a_hidden_check(
    solutions: Path, tmp_path: Path
) -> None:
    """Whatever file one looks into; and every notebook is valid."""
    to = tmp_path / "hand out"
    document = release(solutions, to)
    text = _texts(to)
    assert [word for word in SECRET if word in text] == []
    assert "for-the-author" not in text
    assert (document["exercises"], document["opened"]) == (["mean"], [])
    for path in to.rglob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))  # type: ignore[no-untyped-call]  # untyped library
    assert sorted(path.name for path in to.iterdir()) == [
        *(".gitignore", ".mlkit", "README.md", "environment.yml", "exercises"),
        "requirements.txt",
    ]
    assert "mlkit-notebooks==" in (to / "requirements.txt").read_text(encoding="utf-8")


def test_data_and_packages_go_along(solutions: Path, words: Change, tmp_path: Path) -> None:
    """Beside the notebook, and into the environment."""
    (solutions / "data").mkdir()
    (solutions / "data" / "rows.csv").write_text("a\n1\n", encoding="utf-8")
    words("data: []", "data: [data/rows.csv]")
    words("packages: []", "packages: ['polars>=1']")
    release(solutions, tmp_path / "out")
    assert (tmp_path / "out" / "exercises" / "data" / "rows.csv").read_text() == "a\n1\n"
    assert "polars>=1" in (tmp_path / "out" / "requirements.txt").read_text(encoding="utf-8")


def test_an_exercise_is_added_and_what_was_opened_stays_open(
    solutions: Path, tmp_path: Path
) -> None:
    """A solution is there only if its teacher said so, and holds no hidden check even then."""
    begin("spread", solutions)
    to = tmp_path / "out"
    release(solutions, to, ["mean"])
    assert not (to / "solutions").exists()
    opened = release(solutions, to, ["spread"], opened=["mean"])
    assert (opened["exercises"], opened["opened"]) == (["mean", "spread"], ["mean"])
    assert [path.name for path in (to / "solutions").iterdir()] == ["mean.ipynb"]
    text = (to / "solutions" / "mean.ipynb").read_text(encoding="utf-8")
    assert "sum(numbers) / len(numbers)" in text
    assert "check-mean-other" not in text
    assert "SOLUTION" not in text
    again = release(solutions, to)
    assert (again["new"], again["changed"], again["opened"]) == ([], [], ["mean"])


def test_a_model_answer_is_shown_only_if_it_was_opened(
    solutions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And after an attempt."""
    import __main__

    to = tmp_path / "out"
    release(solutions, to)
    monkeypatch.chdir(to / "exercises")
    document = load_exercise(solutions / "mean.ipynb").notebook
    names: dict[str, object] = {"mean": sum}
    for name in ("setup", "probe-outcome"):
        exec("".join(cell(document, name)["source"]), names)
    for name, value in names.items():
        monkeypatch.setattr(__main__, name, value, raising=False)
    assert "not in this copy" in repr(feedback("check-mean", solution=True))
    release(solutions, to, opened=["mean"])
    assert "sum(numbers) / len(numbers)" in repr(feedback("check-mean", solution=True))


def test_what_was_given_along_is_not_graded_as_an_answer(solutions: Path, tmp_path: Path) -> None:
    """An opened solution in a learner's folder is nobody's work."""
    release(solutions, tmp_path / "class" / "ann", opened=["mean"])
    found = find_submissions([tmp_path / "class"])
    path = tmp_path / "class" / "ann" / "exercises" / "mean.ipynb"
    assert [(one.student, one.path) for one in found] == [("ann", path)]


@pytest.mark.parametrize("place", [".", "solutions", "solutions/out", ".."])
def test_nothing_is_put_where_the_solutions_are(
    place: str, solutions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learners would get them, too."""
    monkeypatch.chdir(solutions.parent)
    before = sorted(solutions.parent.rglob("*"))
    with pytest.raises(GradingError, match="the solutions are in it or around it"):
        release(Path("solutions"), Path(place))
    assert sorted(solutions.parent.rglob("*")) == before


def test_an_exercise_that_is_not_ready_is_not_handed_out(
    solutions: Path, notebook: Edit, tmp_path: Path
) -> None:
    """Nor is one that is not there; and then nothing is written."""

    def silence(document: dict[str, object]) -> None:
        cell(document, "check-mean")["outputs"] = []

    notebook(silence)
    with pytest.raises(GradingError, match="no reference output") as caught:
        release(solutions, tmp_path / "out")
    assert "mlkit exercise check mean --update" in str(caught.value.remedy)
    with pytest.raises(GradingError, match="no exercise 'maen'") as caught:
        release(solutions, tmp_path / "out", ["maen"])
    assert caught.value.remedy == "Did you mean 'mean'?"
    assert not (tmp_path / "out").exists()


def test_a_zip_holds_what_a_folder_does(solutions: Path, tmp_path: Path) -> None:
    """Named as asked for, with or without the ending."""
    release(solutions, tmp_path / "out")
    for name in ("week", "week.zip"):
        assert release(solutions, tmp_path / name, form="zip")["to"] == str(tmp_path / "week.zip")
    with zipfile.ZipFile(tmp_path / "week.zip") as archive:
        names = {name.removeprefix("week/") for name in archive.namelist()}
    there = {p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert names == {path.as_posix() for path in there}


def test_a_readme_of_the_teachers_own_takes_the_place_of_ours(
    solutions: Path, tmp_path: Path
) -> None:
    """As it stands."""
    (solutions / "README.md").write_text("# Week {1}\n", encoding="utf-8")
    release(solutions, tmp_path / "out")
    assert (tmp_path / "out" / "README.md").read_text(encoding="utf-8") == "# Week {1}\n"


@pytest.mark.kernel
def test_learners_check_themselves_in_their_folder(
    solutions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From within it, by name or by file; in a copy elsewhere; without any solution."""
    release(solutions, tmp_path / "out")
    shutil.rmtree(solutions)
    shutil.move(tmp_path / "out", tmp_path / "ann's copy")
    home = tmp_path / "ann's copy"
    monkeypatch.chdir(home)
    _write_answer(home, "def mean(numbers):\n    return sum(numbers) if numbers else None")
    checked = check_notebooks(["mean"], 1, _say)
    (shown,) = checked["exercises"][0]["checks"]
    assert (checked["passed"], shown["status"], len(shown["hints"])) == (False, "failed", 1)
    assert "This is the sum" in shown["message"]
    _write_answer(home, "def mean(numbers):\n    return sum(numbers) / 3 if numbers else None")
    monkeypatch.chdir(tmp_path)
    assert check_notebooks([str(home / "exercises" / "mean.ipynb")], 0, _say)["passed"]
    monkeypatch.chdir(home / "exercises")
    document = progress(None, None, _say)
    assert document["hidden_checks"] is False
    assert [(row["name"], row["status"]) for row in document["exercises"]] == [("mean", "solved")]
    with pytest.raises(GradingError, match="no exercise 'maen'"):
        check_notebooks(["maen"], 0, _say)


@pytest.mark.kernel
@pytest.mark.parametrize("walls", ["any", pytest.param("sandboxed", marks=pytest.mark.sandbox)])
def test_an_answer_reads_the_data_that_came_with_it(
    walls: str, solutions: Path, words: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the same name in the notebook's folder and where it is graded, in a sandbox or not."""
    assert walls == "any" or not why_limited()
    (solutions / "data").mkdir()
    (solutions / "data" / "rows.csv").write_text("1\n2\n6\n", encoding="utf-8")
    (solutions / "data" / "rows.csv").chmod(0o600)
    words("data: []", "data: [data/rows.csv]")
    release(solutions, tmp_path / "out")
    _write_answer(
        tmp_path / "out",
        "def mean(numbers):\n"
        "    rows = [int(line) for line in open('data/rows.csv')]\n"
        "    open('data/aside.txt', 'w').write('beside')\n"
        "    return sum(rows) / 3 if numbers else None",
    )
    monkeypatch.chdir(tmp_path / "out")
    assert check_notebooks(["mean"], 0, _say)["passed"]


def test_an_installed_package_hands_its_lessons_out(tmp_path: Path) -> None:
    """Laid out as its wheel is, with no checkout near: all exercises, no solution."""
    root = Path(__file__).resolve().parents[3]
    site = tmp_path / "site"
    shutil.copytree(root / "mlkit", site / "mlkit", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("notebooks", "exercises"):
        made = shutil.ignore_patterns("runs", "scratch", ".*")
        shutil.copytree(root / folder, site / "mlkit" / "kit" / folder, ignore=made)
    code = f"import sys; sys.path.insert(0, {str(site)!r}); from mlkit.cli.main import main; "
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{code}main(['learn', 'my kit', '--json'])"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    document = json.loads(done.stdout)
    home = tmp_path / "my kit"
    assert document["to"] == str(home)
    names = sorted(path.stem for path in (root / "exercises").glob("*.ipynb"))
    assert document["exercises"] == names
    assert sorted(path.stem for path in (home / "exercises").glob("*.ipynb")) == names
    assert (home / "notebooks" / "lessons" / "01-why-pipelines.ipynb").is_file()
    assert (home / "notebooks" / "flights" / "pipeline.yaml").is_file()
    assert "SOLUTION" not in _texts(home)
    assert not (home / "solutions").exists()
