"""A learner stops what does not come to its end, and waits while the machine is busy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat.v4
import pytest

from tests.grading.learner import LATE_S, own_s
from tests.grading.recorded import HERE, SOLUTIONS

ENDLESS = {
    "computes": "while True:\n    pass",
    "sleeps": "import time\nwhile True:\n    time.sleep(0.05)",
    "a child computes": (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while True: pass'])"
    ),
    "never listens": "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: 0",
}


@pytest.mark.parametrize(
    ("wall_s", "cpu_s", "computes", "own"),
    [
        (0.2, 0.2, True, 0.2),  # alone on the machine
        (0.2, 0.01, True, 0.01),  # waits for its turn
        (30.0, 0.01, True, 0.01),  # the one who looks had no turn either
        (0.2, 0.4, True, 0.2),  # two processes at once
        (0.2, -1.0, True, 0.0),  # one of them has ended
        (0.2, 0.0, False, 0.2),  # sleeps
        (30.0, 0.0, False, LATE_S),  # slept when it was looked at, 30 seconds late
    ],
)
def test_only_what_is_its_own_counts(
    wall_s: float,
    cpu_s: float,
    computes: bool,  # noqa: FBT001 - pytest passes it by name
    own: float,
) -> None:
    """To wait for a processor costs nothing; to sleep does."""
    assert own_s(wall_s, cpu_s, computes=computes) == own


@pytest.mark.kernel
@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS.keys())
def test_what_never_ends_is_stopped_and_what_stands_below_is_run(
    source: str, tmp_path: Path
) -> None:
    """The check below says what it would in Jupyter; nothing is run below what never listens."""
    exercise = json.loads((SOLUTIONS.parent / "exercises/01-dags.ipynb").read_text("utf-8"))
    notebook = nbformat.from_dict(exercise)  # type: ignore[no-untyped-call]  # untyped library
    cell = nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call]  # untyped library
    notebook.cells.insert(0, cell)
    path = tmp_path / "01-dags.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    command = [sys.executable, str(HERE / "learner.py"), "--cell-s", "1", str(path)]
    told = subprocess.run(command, capture_output=True, check=True, timeout=120)
    read = json.loads(told.stdout)
    assert ("SIG_IGN" in source) == (read == {})
    assert {check["status"] for check in read.values()} <= {"not_attempted"}
