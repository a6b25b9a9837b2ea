"""Prefect's environment for tests: Python in it, and what its API says of a run."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlkit.engines.environments import engine_python
from mlkit.engines.prefect.launch import prefect_settings
from mlkit.engines.registry import ENGINES

__all__ = ["asked", "by_instance", "in_prefect"]

STATES = Path(__file__).with_name("prefect_states.py")


def in_prefect(*words: str, home: Path, folder: Path | None = None, api: str = "") -> str:
    """Run Python in Prefect's environment and give what it prints."""
    python = engine_python(ENGINES["prefect"], os.environ)
    done = subprocess.run(
        [python, *words],
        env={**os.environ, **prefect_settings(home), "PREFECT_API_URL": api},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@functools.cache
def asked(flow_run_id: str, *, home: Path, api: str = "") -> dict[str, Any]:
    """What Prefect's API says of a flow run: of a server, or from what a server left at home."""
    document: dict[str, Any] = json.loads(in_prefect(str(STATES), flow_run_id, home=home, api=api))
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
