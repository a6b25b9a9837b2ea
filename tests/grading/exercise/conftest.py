"""A folder of exercises as an author has it, begun by the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlkit.grading.authoring.starting import begin

Notebook = dict[str, Any]
Edit = Callable[[Callable[[Notebook], None]], None]


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
