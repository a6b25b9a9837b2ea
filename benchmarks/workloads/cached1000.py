"""A thousand stages that have run, run again with nothing changed; and a hundred."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.measure import Contender
from benchmarks.stages import write_pipeline
from benchmarks.workload import Goal, Workload, against, at_most, mlkit
from benchmarks.workloads.plan1000 import chains

__all__ = ["build"]

LARGE = "mlkit run, 1,000 stages unchanged"
SMALL = "mlkit run, 100 stages unchanged"


def build(folder: Path) -> Workload:
    """Run both once while building, which takes minutes; the contenders then find nothing to do."""
    contenders = []
    for name, count in ((LARGE, 1000), (SMALL, 100)):
        place = folder / str(count)
        place.mkdir()
        write_pipeline(place, f"cached{count}", chains(count))
        line = mlkit("run", str(place), "--runs-dir", str(place / "runs"), "--no-warm")
        subprocess.run(line, check=True, capture_output=True)
        contenders.append(Contender(name=name, command=line, cwd=place))
    return Workload(
        name="cached1000",
        about="A pipeline of 1,000 stages again, when nothing has changed, and one of 100",
        contenders=contenders,
        goals=(
            Goal(text="seconds for 1,000 stages ≤ 1.0", value=at_most(LARGE), limit=1.0),
            Goal(
                text="times as long as for 100 stages ≤ 10 (linear)",
                value=against(LARGE, SMALL),
                limit=10.0,
            ),
        ),
    )
