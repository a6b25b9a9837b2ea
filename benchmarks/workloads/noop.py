"""The eight-stage pipeline once more, with nothing changed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Contender
from benchmarks.rivals import rivals
from benchmarks.stages import plan, write_pipeline
from benchmarks.workload import FORK, Goal, Workload, against, at_most, mlkit
from benchmarks.workloads.ml8 import STAGES

__all__ = ["build"]

# The others have no notion of being up to date, or need a server for it.
MAKERS = {"dvc", "snakemake"}


def build(folder: Path) -> Workload:
    """Run ml8 once while building; the contenders then find nothing to do."""
    write_pipeline(folder, "noop", STAGES)
    run = mlkit("run", str(folder), "--runs-dir", str(folder / "runs"), "--json")
    subprocess.run(run, check=True, capture_output=True)
    look = mlkit("plan", str(folder), "--runs-dir", str(folder / "runs"), "--json")
    others = [
        _done(rival) for rival in rivals(folder, plan(folder, STAGES)) if rival.name in MAKERS
    ]
    goals = [
        Goal(text="against `dvc repro` ≤ 0.7", value=against(FORK, rival.name), limit=0.7)
        for rival in others
        if rival.name == "dvc"
    ]
    return Workload(
        name="noop",
        about="ml8 again, when nothing has changed",
        contenders=[
            Contender(name=FORK, command=run, cwd=folder),
            Contender(name="mlkit plan", command=look, cwd=folder),
            *others,
        ],
        goals=(Goal(text="seconds, whole process ≤ 0.18", value=at_most(FORK), limit=0.18), *goals),
    )


def _done(rival: Contender) -> Contender:
    """The same contender after one run of which it keeps everything."""
    rival.reset()
    env = {**os.environ, **rival.env}
    subprocess.run(rival.command, cwd=rival.cwd, env=env, check=True, capture_output=True)
    return replace(rival, reset=lambda: None, once=False)
