"""Prefect passes the contract of engines, and shows a run in its own states."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.record import RunRecord
from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from tests.engines.flights import FlightsContract

pytestmark = [pytest.mark.engine, pytest.mark.kernel, pytest.mark.timeout(900)]

STATES = Path(__file__).with_name("prefect_states.py")


def in_prefect(code: Path | str, *words: str, **environ: str) -> str:
    """Run Python in Prefect's environment and give what it prints."""
    python = engine_python(ENGINES["prefect"], os.environ)
    program = ["-c", code] if isinstance(code, str) else [str(code)]
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    patient = {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
    done = subprocess.run(
        [python, *program, *words],
        env={**os.environ, **quiet, **patient, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def asked(home: Path, flow_run_id: str) -> dict[str, Any]:
    """What Prefect's API says of a flow run, from what its own server kept."""
    document: dict[str, Any] = json.loads(in_prefect(STATES, flow_run_id, PREFECT_HOME=str(home)))
    return document


def plain(kind: str, name: str) -> str:
    """Prefect's type and name of a state as one word."""
    if kind == "COMPLETED":
        return "skipped" if name == "Skipped" else "success"
    return "upstream_failed" if name == "UpstreamFailed" else kind.lower()


def by_instance(tasks: Mapping[str, list[Any]]) -> dict[str, str]:
    """The states by mlkit's ids; Prefect adds a key to the name of a task that has none."""
    return {
        name if name.endswith("]") else name.rpartition("-")[0]: plain(*states[:2])
        for name, states in tasks.items()
    }


class TestPrefect(FlightsContract):
    """Prefect, with the server that it starts for one run."""

    engine = "prefect"

    def own_states(self, record: RunRecord) -> Mapping[str, str]:
        """As Prefect's API says."""
        assert record.engine is not None
        home = Path(record.runs_dir) / record.run_id / "engine" / "prefect-home"
        return by_instance(asked(home, record.engine["run_id"])["tasks"])
