"""The benchmark of maps measures what it says."""

from __future__ import annotations

from pathlib import Path

from benchmarks.maps import measure, write
from mlkit import load_pipeline


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
