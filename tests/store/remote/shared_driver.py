"""Run a pipeline on a runs folder behind a URL, in a process that a test kills."""

from __future__ import annotations

import sys
from pathlib import Path

from mlkit import list_runs, resume
from mlkit.core.states import RunStatus
from mlkit.store.remote import leases
from mlkit.store.remote.files import Remote
from mlkit.testing import run_fake
from mlkit.testing.running import fake_services


def go(file: Path, url: str) -> str:
    """Resume the newest run that has not ended, or begin one; returns its status."""
    open_runs = [run for run in list_runs(url) if run.status is RunStatus.KILLED]
    if open_runs:
        run_id = open_runs[-1].run_id
        return resume(run_id, file, runs_dir=url, services=fake_services()).status.value
    return run_fake(file, runs_dir=url).status.value


def main() -> None:
    """Say that everything is imported, wait for the word, then run."""
    file, url = sys.argv[1:]
    leases.DEAD_AFTER_S = 0.0  # who is killed here leaves a lease; nobody else is alive
    Remote(url).check(writes=False)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(go(Path(file), url) + "\n")


if __name__ == "__main__":
    main()
