"""A thousand stages planned, and a hundred, to see how it grows."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import Contender
from benchmarks.stages import Stage, write_pipeline
from benchmarks.workload import Goal, Workload, against, at_most, mlkit

__all__ = ["build", "chains"]

LARGE = "mlkit plan, 1,000 stages"
SMALL = "mlkit plan, 100 stages"
BESIDE = 10


def build(folder: Path) -> Workload:
    """Chains side by side, ten stages each; none has run."""
    contenders = []
    for name, count in ((LARGE, 1000), (SMALL, 100)):
        place = folder / str(count)
        place.mkdir()
        write_pipeline(place, f"plan{count}", chains(count))
        line = mlkit("plan", str(place), "--runs-dir", str(place / "runs"), "--json")
        contenders.append(Contender(name=name, command=line, cwd=place))
    return Workload(
        name="plan1000",
        about="What would be done in a pipeline of 1,000 stages, and of 100",
        contenders=contenders,
        goals=(
            Goal(text="seconds for 1,000 stages ≤ 0.7", value=at_most(LARGE), limit=0.7),
            Goal(
                text="times as long as for 100 stages ≤ 10 (linear)",
                value=against(LARGE, SMALL),
                limit=10.0,
            ),
        ),
    )


def chains(count: int) -> list[Stage]:
    """Chains of ten stages each, side by side: `count` stages."""
    stages: list[Stage] = []
    for number in range(count):
        first = number % BESIDE == 0
        stages.append(
            Stage(
                name=f"stage{number:03d}",
                cells=("open(here, 'w').write('1')",),
                inputs={} if first else {"before": f"{stages[-1].name}.here"},
                outputs={"here": "number.txt"},
            )
        )
    return stages
