"""A thousand stages that have run, run again with nothing changed; and a hundred."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.workload import Workload
from benchmarks.workloads.plan1000 import growing

__all__ = ["build"]


def build(folder: Path) -> Workload:
    """Run both once while building, which takes minutes; the contenders then find nothing to do."""
    workload = growing(
        folder,
        "cached1000",
        "A pipeline of 1,000 stages again, when nothing has changed, and one of 100",
        ("run", "--no-warm"),
        limit_s=1.0,
        state="unchanged",
    )
    for each in workload.contenders:
        subprocess.run(each.command, check=True, capture_output=True)
    return workload
