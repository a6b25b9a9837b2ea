"""A thousand stages planned, and a hundred, to see how it grows."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import Contender
from benchmarks.stages import Stage, write_pipeline
from benchmarks.workload import Goal, Workload, against, at_most, mlkit

__all__ = ["build", "growing"]

BESIDE = 10


def build(folder: Path) -> Workload:
    """None of the stages has run."""
    return growing(
        folder,
        "plan1000",
        "What would be done in a pipeline of 1,000 stages, and of 100",
        ("plan", "--json"),
        limit_s=0.7,
    )


def growing(
    folder: Path,
    name: str,
    about: str,
    command: tuple[str, ...],
    *,
    limit_s: float,
    state: str = "",
) -> Workload:
    """A command on a pipeline of 1,000 stages, and on one of 100; both are written.

    Parameters
    ----------
    folder : Path
        Receives a folder for each.
    name, about : str
        Of the workload.
    command : tuple of str
        A command of mlkit, and its options.
    limit_s : float
        How many seconds it may take for 1,000 stages.
    state : str
        What to say of the stages, in a word.
    """
    contenders = []
    for count in (1000, 100):
        place = folder / str(count)
        place.mkdir()
        write_pipeline(place, f"chains{count}", _chains(count))
        verb, *options = command
        line = mlkit(verb, str(place), "--runs-dir", str(place / "runs"), *options)
        title = f"mlkit {verb}, {count:,} stages {state}".rstrip()
        contenders.append(Contender(name=title, command=line, cwd=place))
    large, small = (each.name for each in contenders)
    return Workload(
        name=name,
        about=about,
        contenders=contenders,
        goals=(
            Goal(text=f"seconds for 1,000 stages ≤ {limit_s}", value=at_most(large), limit=limit_s),
            Goal(
                text="times as long as for 100 stages ≤ 10 (linear)",
                value=against(large, small),
                limit=10.0,
            ),
        ),
    )


def _chains(count: int) -> list[Stage]:
    """Chains side by side, ten stages each."""
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
