"""A server's group of processes starts and ends as a whole."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mlkit.engines.local_server import (
    Served,
    end_group,
    free_port,
    running_group,
    until_interrupted,
)
from mlkit.errors import EngineError

_PARENT = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def _child(log: Path) -> int:
    """The process that the server started, once it has said so."""
    while not log.read_text().endswith("\n"):
        time.sleep(0.01)
    return int(log.read_text())


def _is_gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_the_whole_group_ends(tmp_path: Path) -> None:
    """Also the children of a leader that ends politely and leaves them behind."""
    log = tmp_path / "server.log"
    command = [sys.executable, "-c", _PARENT.format(code=3)]
    with running_group(command, os.environ, log) as process:
        child = _child(log)
        assert os.getpgid(child) == process.pid
    assert process.returncode == 3
    while not _is_gone(child):
        time.sleep(0.01)


def test_a_group_whose_leader_is_gone_ends_at_once(tmp_path: Path) -> None:
    """Nobody is asked politely who is not there."""
    process = subprocess.Popen(
        [sys.executable, "-c", "raise SystemExit(7)"], start_new_session=True
    )
    process.wait()
    assert end_group(process, signal.SIGINT, signal.SIGTERM) == 7


def test_a_free_port_can_be_taken() -> None:
    """On loopback."""
    assert 1024 < free_port() < 65536


def _server(code: str) -> contextlib.AbstractContextManager[Served]:
    @contextlib.contextmanager
    def start() -> Iterator[Served]:
        process = subprocess.Popen([sys.executable, "-c", code])
        yield Served(url="http://x", process=process, log=Path("server.log"))

    return start()


def test_a_server_as_a_command_gives_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """And says where it is, and how it is ended."""
    assert until_interrupted(_server("raise SystemExit(4)"), lambda s: f"it is at {s.url}") == 4
    assert capsys.readouterr().out == "it is at http://x\nCtrl-C ends it.\n"


def test_a_server_that_does_not_start_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """As a sentence, with mlkit's exit code; Ctrl-C is no mistake."""

    def fails(_: Served) -> str:
        raise EngineError("it ended", remedy="Read its log")

    def interrupted(_: Served) -> str:
        raise KeyboardInterrupt

    assert until_interrupted(_server(""), fails) == EngineError("x").exit_code
    assert capsys.readouterr().err.startswith("mlkit: it ended")
    assert until_interrupted(_server(""), interrupted) == 130


def test_a_server_is_waited_for_until_it_answers_or_has_ended(tmp_path: Path) -> None:
    """What fails on the way is an answer that has not come yet; an end is said with its log."""
    log = tmp_path / "log"
    asked: Iterator[bool | OSError] = iter([ConnectionRefusedError(), False, True])

    def answers() -> bool:
        found = next(asked)
        if isinstance(found, OSError):
            raise found
        return found

    with running_group([sys.executable, "-c", "import time; time.sleep(60)"], {}, log) as process:
        Served(url="", process=process, log=log).wait_until(answers, "It")
    assert next(asked, None) is None
    with running_group([sys.executable, "-c", "raise SystemExit(3)"], {}, log) as process:
        served = Served(url="", process=process, log=log)
        with pytest.raises(EngineError, match="It ended with exit code 3") as caught:
            served.wait_until(lambda: False, "It")
    assert Path(caught.value.file or "") == log
