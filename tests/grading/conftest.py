"""Exercises, submissions made from them, and the sandbox that some tests cannot do without."""

from __future__ import annotations

import atexit
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from mlkit.grading.authoring.starting import begin
from mlkit.grading.batch import Batch, grade_batch
from mlkit.grading.exercise.source import Exercise, exercise_notebook
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.trial import why_limited
from mlkit.grading.submissions import load_exercises

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = ROOT / "solutions"
QUICK = Limits(cell_s=3, total_s=40)

Notebook = dict[str, Any]
Submit = Callable[..., Path]
Grade = Callable[..., dict[str, dict[str, Any]]]
Edit = Callable[[Callable[[Notebook], None]], None]


@pytest.fixture(scope="session")
def exercises() -> Mapping[str, Exercise]:
    """Every exercise that has a solution."""
    return load_exercises(SOLUTIONS)


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> None:
    """There is a sandbox; who asks for these tests wants to hear that there is none."""
    assert request.node.get_closest_marker("sandbox"), "mark it: its suite is make test-sandbox"
    reason = why_limited()
    if reason:
        pytest.fail(f"these tests need a sandbox, and {reason}: make test-sandbox")


@pytest.fixture
def shell() -> Iterator[Any]:
    """An IPython shell for one test: it takes the place of `__main__`, and empties it."""
    before = sys.modules["__main__"]
    made: Any = InteractiveShell.instance()
    yield made
    made.atexit_operations()
    atexit.unregister(made.atexit_operations)
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = before


@pytest.fixture(scope="session")
def submit(exercises: Mapping[str, Exercise]) -> Submit:
    """Write a submission: an exercise with some answers, and the notebook edited at will."""

    def write(
        folder: Path,
        name: str,
        answers: Mapping[str, str],
        edit: Callable[[Notebook], None] | None = None,
    ) -> Path:
        notebook = exercise_notebook(exercises[name])
        for cell in notebook["cells"]:
            cell["source"] = answers.get(cell["id"], cell["source"])
        if edit is not None:
            edit(notebook)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.ipynb"
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def grade() -> Grade:
    """Grade a folder of students' folders; student → what `--json` says of the submission.

    With one worker: to start another takes longer than to grade two submissions.
    """
    usual = {"solutions": SOLUTIONS, "limits": QUICK, "trust": True, "workers": 1}

    def run(folder: Path, **options: Any) -> dict[str, dict[str, Any]]:
        batch = Batch(**{"paths": [folder], **usual, **options})
        return {s["student"]: s for s in grade_batch(batch)["submissions"]}

    return run


@pytest.fixture
def solutions(tmp_path: Path) -> Path:
    """A folder with one exercise, `mean`, in a place with a space in its name."""
    folder = tmp_path / "my course" / "solutions"
    begin("mean", folder)
    return folder


@pytest.fixture
def notebook(solutions: Path) -> Edit:
    """Change the exercise's notebook."""

    def change(by: Callable[[Notebook], None]) -> None:
        path = solutions / "mean.ipynb"
        document = json.loads(path.read_text(encoding="utf-8"))
        by(document)
        path.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")

    return change


@pytest.fixture
def words(solutions: Path) -> Callable[[str, str], None]:
    """Replace a piece of the exercise's words."""

    def change(old: str, new: str) -> None:
        path = solutions / "mean.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


def cell(document: Notebook, name: str) -> dict[str, Any]:
    """A cell by its id."""
    found: dict[str, Any] = next(c for c in document["cells"] if c["id"] == name)
    return found
