"""How a keeper ends: by the time, or with what it holds; and what goes with it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlkit.notebook.kernels import keeper, warden
from mlkit.notebook.kernels.keeper import wait
from mlkit.notebook.kernels.warden import LEASH, holders


def test_it_waits_for_the_time_or_for_the_end_of_what_it_holds() -> None:
    """Whatever comes first; what has ended already is not waited for."""
    began = time.monotonic()
    wait(os.getpid(), time.time() + 0.2)
    assert 0.15 < time.monotonic() - began < 30
    held = subprocess.Popen(["sleep", "0.2"])
    wait(held.pid, time.time() + 300)
    held.wait()
    wait(held.pid, time.time() + 300)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("end", ["time", "stop", "kill"])
def test_whatever_ends_it_nothing_is_left(tmp_path: Path, end: str) -> None:
    """Neither what it held, nor what that has started, nor the folders."""
    folder, token = tmp_path / "kept", f"{secrets.token_hex(8)}.00000001"
    (folder / "within").mkdir(parents=True)
    held = subprocess.Popen(
        ["sh", "-c", "setsid sleep 300 & sleep 300"],
        env={**os.environ, LEASH: token},
        start_new_session=True,
    )
    orders = {
        "pid": held.pid,
        "token": token,
        "until": time.time() + (1 if end == "time" else 300),
        "folders": [str(folder)],
        "warden": str(Path(warden.__file__).absolute()),
    }
    said = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(keeper.__file__).absolute())],
        input=json.dumps(orders).encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    number = int(said.stdout)
    if end != "time":
        assert held.poll() is None
        os.kill(number, signal.SIGTERM if end == "stop" else signal.SIGKILL)
    assert held.wait(60) == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while (folder.exists() or list(holders(token))) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not folder.exists()
    assert list(holders(token)) == []
