"""Classes made of paper: notebooks that hold what they are called, downloads, and rosters."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mlkit.grading.exercise.source import Exercise, exercise_notebook
from mlkit.grading.submissions import load_exercises

Notebook = Callable[..., bytes]
SOLUTIONS = Path(__file__).resolve().parents[3] / "solutions"


@pytest.fixture(scope="session")
def exercises() -> Mapping[str, Exercise]:
    """Every exercise that has a solution."""
    return load_exercises(SOLUTIONS)


@pytest.fixture(scope="session")
def notebook(exercises: Mapping[str, Exercise]) -> Notebook:
    """An exercise with some answers, as the bytes of its file."""

    def make(
        name: str = "05-retries", answers: Mapping[str, str] | None = None, **more: str
    ) -> bytes:
        document = exercise_notebook(exercises[name])
        for cell in document["cells"]:
            cell["source"] = (answers or {}).get(cell["id"], cell["source"])
        document["metadata"]["more"] = more
        return json.dumps(document).encode()

    return make


@pytest.fixture
def lay(tmp_path: Path) -> Callable[[Mapping[str, bytes | str]], Path]:
    """Write files below a folder `download`; a text is written as UTF-8."""

    def write(files: Mapping[str, bytes | str], name: str = "download") -> Path:
        for place, content in files.items():
            path = tmp_path / name / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / name

    return write


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    """The bytes of a zip archive."""
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in files.items():
            archive.writestr(place, content)
    return buffer.getvalue()
