"""Ctrl-C while a large file is hashed or copied."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlkit.testing import Sketch, write_pipeline

SIZE_BYTES = 40_000_000_000
"""Of a file that is all hole: hashing it takes half a minute on a quick machine."""
OBEYED_S = 3.0
"""Within a second, and as much as a machine under load may add."""


def _interrupted(command: list[str], begun: Callable[[], bool]) -> tuple[int, float, str]:
    """Run a command, press Ctrl-C once something has begun; code, seconds until the end, words."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mlkit", *command], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not begun():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, time.monotonic() - pressed, (out + err).decode()


def _reads(file: Path) -> bool:
    """Whether some process has a file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == file:
                return True
        except OSError:
            continue
    return False


@pytest.mark.kernel
def test_an_output_that_is_being_taken_in_is_given_up(tmp_path: Path) -> None:
    """The run is cancelled and can be resumed; nothing half-copied is left."""
    body = f"with open(out, 'wb') as file:\n    file.truncate({SIZE_BYTES})"
    file = write_pipeline(tmp_path, Sketch(name="make", body=body))
    store = tmp_path / "runs" / "store"
    code, took, said = _interrupted(
        ["run", str(file), "--json"], lambda: any(store.glob(".part-*"))
    )
    assert code == 130, said
    assert took < OBEYED_S, said
    assert not list(store.glob(".part-*"))
    document = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert document["status"] == "cancelled"
    assert document["stages"]["make"]["status"] == "cancelled"


@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_input_that_is_being_hashed_is_given_up(tmp_path: Path, command: str) -> None:
    """Before a kernel has started, and where nothing would be run at all."""
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(SIZE_BYTES)
    keys = {"inputs": {"data": "file:large.bin"}}
    pipeline = write_pipeline(
        tmp_path, Sketch(name="read", declares='data: str = ""', body="open(out, 'w')", keys=keys)
    )
    code, took, said = _interrupted([command, str(pipeline)], lambda: _reads(large))
    assert code == 130, said
    assert took < OBEYED_S, said
    assert "Traceback" not in said
