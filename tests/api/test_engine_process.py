"""An engine ends with the process that has started it, however that ends."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mlkit.api.engine_process import EngineProcess
from mlkit.engines.launching import Launch
from mlkit.errors import EngineError
from mlkit.notebook.notebook_runner import Cancellation

_ENGINE = """
import json, os, subprocess, sys, time
sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
task = subprocess.Popen(sleeps)
server = subprocess.Popen(sleeps, start_new_session=True)
with open(sys.argv[1] + ".part", "w") as file:
    json.dump([os.getpid(), task.pid, server.pid], file)
os.rename(sys.argv[1] + ".part", sys.argv[1])
{then}
"""
_DRIVER = """
import os, sys
from pathlib import Path
from mlkit.api.engine_process import EngineProcess
from mlkit.engines.launching import Launch
from mlkit.notebook.notebook_runner import Cancellation
folder = Path(sys.argv[1])
launch = Launch(command=(sys.executable, "-c", sys.argv[2], str(folder / "pids")))
process = EngineProcess(launch, os.environ, folder / "log", folder / "events.jsonl")
process.run(Cancellation(), print)
"""


def _started(folder: Path, driver: subprocess.Popen[bytes]) -> list[int]:
    """The engine, its task, and a server that has left its group, once they are there."""
    while not (folder / "pids").exists():
        assert driver.poll() is None
        time.sleep(0.05)
    pids: list[int] = json.loads((folder / "pids").read_text("utf-8"))
    return pids


def _is_gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 60
    while left := [pid for pid in pids if not _is_gone(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_an_engine_ends_with_a_driver_that_is_killed(tmp_path: Path) -> None:
    """With its task, and with a server that stands in a session of its own."""
    engine = _ENGINE.format(then="time.sleep(600)")
    command = [sys.executable, "-c", _DRIVER, str(tmp_path), engine]
    with subprocess.Popen(command) as driver:
        pids = _started(tmp_path, driver)
        assert not any(map(_is_gone, pids))
        driver.kill()
    _wait_until_gone(pids)


def test_nothing_outlives_an_engine_that_has_ended(tmp_path: Path) -> None:
    """Its exit code is told; what it has left running is not."""
    program = _ENGINE.format(then="sys.exit(3)")
    launch = Launch(command=(sys.executable, "-c", program, str(tmp_path / "pids")))
    process = EngineProcess(launch, os.environ, tmp_path / "log", tmp_path / "events.jsonl")
    assert process.run(Cancellation(), print) == 3
    _wait_until_gone(json.loads((tmp_path / "pids").read_text("utf-8")))


def test_an_engine_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    """A Python that is no program."""
    launch = Launch(command=(str(tmp_path / "python"),))
    process = EngineProcess(launch, os.environ, tmp_path / "log", tmp_path / "events.jsonl")
    with pytest.raises(EngineError, match="cannot be started: No such file or directory"):
        process.run(Cancellation(), print)
