"""`mlkit debug`: a stage of a run, to be opened by a person."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Call, Spoken

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder of this module's own."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def swept(call: Call, words: Path, runs: Path) -> Spoken:
    """A sweep over two values; the second call finds everything done."""
    return call("sweep", words, "-p", "many=3,5", "--runs-dir", runs, "--json")


def test_debug_writes_a_notebook_that_runs(
    call: Call, words: Path, runs: Path, swept: Spoken, tmp_path: Path
) -> None:
    """The copy holds the run's parameters and inputs, and runs from top to bottom."""
    last = swept.json()["runs"][-1]["run_id"]
    spoken = call("debug", last, "count", words, "--runs-dir", runs, "--json")
    copy = Path(spoken.json()["notebook"])
    cells = json.loads(copy.read_text(encoding="utf-8"))["cells"]
    assert "stage 'count' as in its run" in cells[1]["source"]
    code = "\n".join(cell["source"] for cell in cells)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
    assert json.loads((copy.parent / "outputs" / "metrics.json").read_text()) == {"count": 5}


def test_debug_names_a_stage_that_is_not_there(
    call: Call, words: Path, runs: Path, swept: Spoken
) -> None:
    """A typing error gets a suggestion."""
    spoken = call("debug", "latest", "coumt", words, "--runs-dir", runs, "--no-open")
    assert spoken.code == 2
    assert "has no stage 'coumt'" in spoken.err
    assert "Did you mean 'count'?" in spoken.err
