"""The figure of the flights pipeline is the same wherever it is told."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.notebooks.conftest import NOTEBOOKS, command, copy_flights, environment

FIGURE = re.compile(r"0\.\d{4} \(0\.\d{3} to 0\.\d{3}\)")
README = NOTEBOOKS.parent / "README.md"
LESSON = NOTEBOOKS / "lessons" / "08-fan-out.ipynb"


def _told(text: str) -> set[str]:
    """Every score with an interval that stands in a text."""
    return set(FIGURE.findall(" ".join(text.split())))


def _prose(notebook: Path) -> str:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def test_readme_and_lesson_tell_the_same() -> None:
    """One figure, with its interval."""
    told = _told(README.read_text(encoding="utf-8"))
    assert len(told) == 1
    assert _told(_prose(LESSON)) == told


@pytest.mark.kernel
@pytest.mark.slow
def test_the_figure_is_what_a_run_with_the_defaults_finds(tmp_path: Path) -> None:
    """In its summary and in its report, beside the model that README names."""
    folder = copy_flights(tmp_path / "flights")
    done = subprocess.run(
        [command("mlkit"), "run", str(folder), "--report"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    latest = folder / "runs" / "latest"
    readme = README.read_text(encoding="utf-8")
    summary = json.loads((latest / "finish" / "summary.json").read_text(encoding="utf-8"))
    assert f"`{summary['chosen_model']}`" in readme
    for page in (latest / "finish" / "summary.md", *latest.glob("*.html")):
        assert _told(readme) <= _told(page.read_text(encoding="utf-8")), page.name
    assert [*latest.glob("*.html")]
