"""The kit's own pipeline, with forked and with stock kernels."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.workload import FORK, SPAWN, Goal, Workload, against, at_most, runs

__all__ = ["build"]

NOTEBOOKS = Path(__file__).parents[2] / "notebooks" / "flights"


def build(folder: Path) -> Workload:
    """A copy of the pipeline, on its default parameters, into an empty runs folder."""
    place = folder / "flights"
    shutil.copytree(NOTEBOOKS, place, ignore=shutil.ignore_patterns("runs", "scratch"))
    return Workload(
        name="flights",
        about="The whole flights pipeline on its defaults, two workers",
        contenders=runs(place, workers=2),
        goals=(
            Goal(text="seconds ≤ 60", value=at_most(FORK), limit=60.0),
            Goal(
                text="times faster than with stock kernels ≥ 2",
                value=against(SPAWN, FORK),
                limit=2.0,
                at_least=True,
            ),
        ),
    )
