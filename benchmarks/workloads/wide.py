"""One notebook of two hundred cells with five megabytes of output."""

from __future__ import annotations

from pathlib import Path

from benchmarks.stages import Stage
from benchmarks.workload import FORK, Goal, Workload, at_most, baselines

__all__ = ["build"]

CELLS = 200
LETTERS = 25_000


def build(folder: Path) -> Workload:
    """Every cell prints 25 kB, and the last one writes the stage's file."""
    lines = tuple(
        f"for _ in range({LETTERS // 100}):\n    print('{number:099d}')" for number in range(CELLS)
    )
    stage = Stage(
        name="wide",
        cells=(*lines, "open(done, 'w').write('yes')"),
        outputs={"done": "done.txt"},
    )
    return Workload(
        name="wide",
        about="One notebook of 200 cells that prints 5 MB",
        contenders=baselines(folder, "wide", [stage], workers=1),
        goals=(
            Goal(
                text="bytes written, as a multiple of the notebook and its log ≤ 2",
                value=at_most(FORK, "written_bytes", share=2 * CELLS * LETTERS),
                limit=2.0,
            ),
        ),
    )
