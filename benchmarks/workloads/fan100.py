"""A hundred trivial notebooks that do not wait for each other, two at a time."""

from __future__ import annotations

from pathlib import Path

from benchmarks.stages import Stage
from benchmarks.workload import API, FORK, Goal, Workload, against, bare_fork, baselines

__all__ = ["build"]

COUNT = 100
CELL = "open(here, 'w').write(str(number * number))"


def build(folder: Path) -> Workload:
    """A hundred squares."""
    stages = [
        Stage(
            name=f"square{number:02d}",
            cells=(CELL,),
            outputs={"here": "number.txt"},
            parameters={"number": number},
        )
        for number in range(COUNT)
    ]
    return Workload(
        name="fan100",
        about="A hundred independent notebooks of one line each, two workers",
        contenders=[
            *baselines(folder, "fan100", stages, workers=2),
            bare_fork(folder, workers=2),
        ],
        goals=(
            Goal(
                text="times faster than Papermill's API with two threads ≥ 14",
                value=against(API, FORK),
                limit=14,
                at_least=True,
            ),
        ),
    )
