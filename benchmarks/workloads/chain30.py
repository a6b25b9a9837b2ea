"""Thirty trivial notebooks, each waiting for the one before."""

from __future__ import annotations

from pathlib import Path

from benchmarks.stages import Stage
from benchmarks.workload import API, FORK, Goal, Workload, against, at_most, bare_fork, baselines

__all__ = ["build"]

LENGTH = 30
FIRST = "open(here, 'w').write('1')"
NEXT = "open(here, 'w').write(str(int(open(before).read()) + 1))"


def build(folder: Path) -> Workload:
    """A chain in which every link adds one."""
    stages = [Stage(name="link01", cells=(FIRST,), outputs={"here": "number.txt"})]
    for number in range(2, LENGTH + 1):
        stages.append(
            Stage(
                name=f"link{number:02d}",
                cells=(NEXT,),
                inputs={"before": f"{stages[-1].name}.here"},
                outputs={"here": "number.txt"},
            )
        )
    return Workload(
        name="chain30",
        about="A chain of thirty notebooks of one line each",
        contenders=[
            *baselines(folder, "chain30", stages, workers=1),
            bare_fork(folder, workers=1),
        ],
        goals=(
            Goal(
                text="seconds a stage, start-up included ≤ 0.045",
                value=at_most(FORK, share=LENGTH),
                limit=0.045,
            ),
            Goal(
                text="times faster than Papermill's API ≥ 4.5",
                value=against(API, FORK),
                limit=4.5,
                at_least=True,
            ),
        ),
    )
