"""What mlkit exports."""

from __future__ import annotations

from pathlib import Path

import mlkit
from mlkit.testing import chain, run_fake


def test_runs_are_listed_oldest_first(tmp_path: Path) -> None:
    """None where there is no runs folder; `latest` finds the newest success."""
    file = chain(tmp_path, 1)
    assert list(mlkit.list_runs(tmp_path / "runs")) == []
    one, two = run_fake(file), run_fake(file)
    assert [r.run_id for r in mlkit.list_runs(tmp_path / "runs")] == [one.run_id, two.run_id]
    assert mlkit.find_run("latest", tmp_path / "runs") == two
