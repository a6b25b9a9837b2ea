"""What mlkit exports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mlkit
from mlkit.testing import chain, run_fake


def test_at_most_20_names_are_exported_and_all_are_there() -> None:
    """Each loads, and is documented."""
    assert len(mlkit.__all__) <= 20
    assert mlkit.__all__ == sorted(mlkit.__all__)
    assert {"run", "plan", "resume", "compare", "load_pipeline", "Pipeline", "RunRecord"} <= set(
        mlkit.__all__
    )
    assert [name for name in mlkit.__all__ if not getattr(mlkit, name).__doc__] == []


def test_import_is_cheap() -> None:
    """`import mlkit` imports none of its own modules."""
    program = "import sys, mlkit; print([m for m in sys.modules if m.startswith('mlkit.')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_runs_are_listed_oldest_first(tmp_path: Path) -> None:
    """None where there is no runs folder; `latest` finds the newest success."""
    file = chain(tmp_path, 1)
    assert list(mlkit.list_runs(tmp_path / "runs")) == []
    one, two = run_fake(file), run_fake(file)
    assert [r.run_id for r in mlkit.list_runs(tmp_path / "runs")] == [one.run_id, two.run_id]
    assert mlkit.find_run("latest", tmp_path / "runs") == two
