"""Prefect's environment for tests: Python in it, and a server of its own."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES

__all__ = ["asked", "by_instance", "in_prefect", "server"]

STATES = Path(__file__).with_name("prefect_states.py")
SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}


def python() -> str:
    """The Python of Prefect's environment."""
    return str(engine_python(ENGINES["prefect"], os.environ))


def in_prefect(*words: str, folder: Path | None = None, **environ: str) -> str:
    """Run Python in Prefect's environment and give what it prints."""
    done = subprocess.run(
        [python(), *words],
        env={**os.environ, **SETTINGS, **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@functools.cache
def asked(flow_run_id: str, *, home: Path, api: str = "") -> dict[str, Any]:
    """What Prefect's API says of a flow run: of a server, or from what a server left at home."""
    text = in_prefect(str(STATES), flow_run_id, PREFECT_HOME=str(home), PREFECT_API_URL=api or "")
    document: dict[str, Any] = json.loads(text)
    return document


def by_instance(tasks: Mapping[str, list[Any]]) -> dict[str, str]:
    """The states by mlkit's ids; Prefect adds a key to the name of a task that has none."""
    return {
        name if name.endswith("]") else name.rpartition("-")[0]: _plain(*states[:2])
        for name, states in tasks.items()
    }


def _plain(kind: str, name: str) -> str:
    """Prefect's type and name of a state as one word."""
    if kind == "COMPLETED":
        return "skipped" if name == "Skipped" else "success"
    return "upstream_failed" if name == "UpstreamFailed" else kind.lower()


@contextlib.contextmanager
def server(home: Path) -> Iterator[str]:
    """Start a Prefect server in a process group of its own; gives the address of its API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [python(), "-m", "prefect", "server", "start", "--port", str(port)],
            env={**os.environ, **SETTINGS, "PREFECT_HOME": str(home)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _await(f"http://127.0.0.1:{port}/api/health", process, home / "server.log")
            yield f"http://127.0.0.1:{port}/api"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask for a server's health until it answers; the test's own time limit ends it."""
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
        else:
            return
    raise AssertionError(log.read_text()[-4000:])
