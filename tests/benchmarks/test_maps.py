"""The benchmark of maps measures what it says."""

from __future__ import annotations

import cProfile
import io
import pstats
from pathlib import Path

from benchmarks.maps import NoKernel, measure, write
from mlkit import load_pipeline, plan
from mlkit.observe.console import PlainConsole
from mlkit.testing import run_fake


def test_the_maps_are_chained(tmp_path: Path) -> None:
    """Each instance reads one file."""
    pipeline = load_pipeline(write(tmp_path, 3))
    assert pipeline.stages["clean"].is_chained
    assert pipeline.stages["collect"].foreach is not None
    assert pipeline.stages["collect"].foreach.size == 3


def test_a_small_map_is_run_planned_and_reused() -> None:
    """All three are there."""
    costs = measure(10)
    assert set(costs) == {"run", "plan", "reuse"}
    assert min(costs.values()) > 0


def calls_of(count: int, folder: Path) -> tuple[float, float]:
    """How many functions are called for each instance: by a run, and by a plan after it."""
    file = write(folder, count)
    found = []
    for work in (
        lambda: run_fake(file, runner=NoKernel(), observers=[console()]),
        lambda: plan(file),
    ):
        profile = cProfile.Profile(builtins=False)
        profile.runcall(work)
        found.append(pstats.Stats(profile).total_calls / (2 * count + 1))  # type: ignore[attr-defined] # typeshed lacks it
    return found[0], found[1]


def console() -> PlainConsole:
    """One that nobody sees."""
    return PlainConsole(io.StringIO())


def test_the_work_for_an_instance_does_not_grow_with_the_map(tmp_path: Path) -> None:
    """Told by calls, which no other program's load changes; what is walked whole shows at once."""
    calls_of(3, tmp_path / "warm")
    small, large = calls_of(40, tmp_path / "small"), calls_of(240, tmp_path / "large")
    for of_small, of_large in zip(small, large, strict=True):
        assert of_large < 1.1 * of_small
