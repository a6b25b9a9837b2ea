"""A sweep whose process is killed: resumed, it computes nothing twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mlkit.testing import Sketch, write_pipeline

pytestmark = pytest.mark.kernel

LAST = """import time
from pathlib import Path
time.sleep(0.2)
Path(out).write_text(f"{Path(middle).read_text()} {b}")"""

MIDDLE = """from pathlib import Path
Path(out).write_text(f"{Path(first).read_text()} {a}")"""


def _pipeline(folder: Path) -> Path:
    return write_pipeline(
        folder,
        Sketch(name="first"),
        Sketch(name="middle", upstream=("first",), declares="a: int = 0", body=MIDDLE),
        Sketch(name="last", upstream=("middle",), declares="b: int = 0", body=LAST),
    )


def _start(file: Path, *words: str) -> subprocess.Popen[bytes]:
    with (file.parent / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "mlkit", *words, "--json"],
            cwd=file.parent,
            stdout=subprocess.PIPE,
            stderr=said,
        )


def _results(file: Path) -> Counter[tuple[str, str]]:
    """How often each stage was computed with each fingerprint, to its end."""
    database = file.parent / "runs" / "mlkit.db"
    if not database.exists():
        return Counter()
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return Counter(connection.execute("SELECT stage, key FROM fingerprints").fetchall())
        except sqlite3.OperationalError:
            return Counter()  # its tables are only being made


def _killed_at(file: Path, count: int, *words: str) -> None:
    """Kill a command when so many results are there."""
    process = _start(file, *words)
    try:
        deadline = time.monotonic() + 200
        while _results(file).total() < count:
            assert process.poll() is None, (file.parent / "said.txt").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()


def _swept(file: Path, size: tuple[int, int], kills: Sequence[int]) -> dict[str, Any]:
    """Sweep over a grid; killed at these numbers of results, resumed, and at its end."""
    first, second = (",".join(map(str, range(1, n + 1))) for n in size)
    words = ["sweep", "-p", f"a={first}", "-p", f"b={second}", "--parallel", "2", "--name", "g"]
    for count in kills:
        _killed_at(file, count, *words)
        words = ["resume", "g"]
    process = _start(file, *words)
    document = json.loads(process.communicate(timeout=600)[0])
    assert process.returncode == 0
    return dict(document)


def _computed_once(file: Path, size: tuple[int, int], document: dict[str, Any]) -> None:
    """Every combination has its run, every fingerprint its one result."""
    runs = document["runs"]
    assert {run["status"] for run in runs} == {"succeeded"}
    assert len({json.dumps(run["parameters"]) for run in runs}) == len(runs) == size[0] * size[1]
    results = _results(file)
    assert set(results.values()) == {1}
    by_stage = Counter(stage for stage, _ in results)
    assert by_stage == {"first": 1, "middle": size[0], "last": size[0] * size[1]}


@pytest.mark.long
def test_a_sweep_that_is_killed_computes_nothing_twice(tmp_path: Path) -> None:
    """Twelve runs, two at once, killed once."""
    file = _pipeline(tmp_path)
    _computed_once(file, (3, 4), _swept(file, (3, 4), [7]))


@pytest.mark.slow
def test_a_large_sweep_that_is_killed_twice_computes_nothing_twice(tmp_path: Path) -> None:
    """Sixty runs, two at once."""
    file = _pipeline(tmp_path)
    _computed_once(file, (10, 6), _swept(file, (10, 6), [20, 45]))


@pytest.mark.slow
def test_a_search_that_is_killed_twice_computes_nothing_twice(tmp_path: Path) -> None:
    """Sixty runs that Optuna chooses."""
    pytest.importorskip("optuna", reason="Optuna is not installed")
    measure = MIDDLE + "\nimport mlkit\nmlkit.log_metric('loss', (a - 30) ** 2)"
    file = write_pipeline(
        tmp_path,
        Sketch(name="first"),
        Sketch(name="middle", upstream=("first",), declares="a: int = 0", body=measure),
        Sketch(name="last", upstream=("middle",), declares="b: int = 0", body=LAST),
    )
    words = ["sweep", "--optuna", "60", "--minimize", "middle.loss", "--name", "g"]
    words += ["-p", "a=1..90", "-p", "b=1..9", "--parallel", "2"]
    for count in (30, 70):
        _killed_at(file, count, *words)
        words = ["resume", "g"]
    process = _start(file, *words)
    document = json.loads(process.communicate(timeout=600)[0])
    assert process.returncode == 0
    assert len({json.dumps(run["parameters"]) for run in document["runs"]}) == 60
    assert {run["status"] for run in document["runs"]} == {"succeeded"}
    assert set(_results(file).values()) == {1}
