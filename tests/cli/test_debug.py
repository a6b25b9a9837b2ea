"""`mlkit debug`: a stage of a run, to be opened by a person."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
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


@pytest.mark.parametrize("command", [("debug", "latest"), ("edit",)], ids=["debug", "edit"])
@pytest.mark.parametrize("word", ["--no-open", "--no-browser", "--open", "--browser"])
def test_both_commands_that_open_jupyterlab_take_both_spellings(
    call: Call, words: Path, runs: Path, swept: Spoken, command: tuple[str, ...], word: str
) -> None:
    """One idea; `--no-browser` is what Jupyter's own commands say."""
    spoken = call(*command, "coumt", words, "--runs-dir", runs, word, "--json")
    assert spoken.json()["error"]["code"] == "E101"


def test_in_a_terminal_it_serves_and_says_where(
    words: Path, runs: Path, swept: Spoken, tmp_path: Path
) -> None:
    """Somebody far away has no browser: the address is told, and answers from then on."""
    own = {f"JUPYTER_{n}_DIR": str(tmp_path / n.lower()) for n in ("CONFIG", "DATA", "RUNTIME")}
    run_id = swept.json()["runs"][-1]["run_id"]
    master, terminal = os.openpty()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlkit", "debug", run_id, "count", str(words)),
            *("--runs-dir", str(runs)),
        ],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, **own, "BROWSER": "/bin/true"},
        start_new_session=True,
    )
    os.close(terminal)
    told = ""
    try:
        while "Ctrl-C" not in told:
            told += os.read(master, 1000).decode()
        said = re.search(r"open at (http\S+);", told)
        assert said is not None, told
        with urllib.request.urlopen(said[1], timeout=60) as answer:
            assert answer.status == 200
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
        os.close(master)
    assert code == 0
    assert "Traceback" not in told
