"""The eight-stage pipeline once more, with nothing changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.measure import Contender
from benchmarks.stages import write_pipeline
from benchmarks.workload import FORK, Goal, Workload, at_most, mlkit
from benchmarks.workloads.ml8 import STAGES

__all__ = ["build"]


def build(folder: Path) -> Workload:
    """Run ml8 once while building; the contenders then find nothing to do."""
    write_pipeline(folder, "noop", STAGES)
    run = mlkit("run", str(folder), "--runs-dir", str(folder / "runs"), "--json")
    subprocess.run(run, check=True, capture_output=True)
    look = mlkit("plan", str(folder), "--runs-dir", str(folder / "runs"), "--json")
    return Workload(
        name="noop",
        about="ml8 again, when nothing has changed",
        contenders=[
            Contender(name=FORK, command=run, cwd=folder),
            Contender(name="mlkit plan", command=look, cwd=folder),
        ],
        goals=(Goal(text="seconds, whole process ≤ 0.4", value=at_most(FORK), limit=0.4),),
    )
