"""Cleaning removes runs and what only they used, and nothing else."""

from __future__ import annotations

from pathlib import Path

from mlkit.api.old_runs import clean
from mlkit.testing import FakeRunner, chain, run_fake


def test_what_is_left_can_still_be_reused(tmp_path: Path) -> None:
    """A dry run removes nothing; the newest run stays whole."""
    file, runs = chain(tmp_path, 2), tmp_path / "runs"
    first = run_fake(file)
    path = tmp_path / "s1.ipynb"
    path.write_text(path.read_text().replace("s1(", "S1("))
    last = run_fake(file)
    told = clean(runs, keep=1)
    assert told.runs == (first.run_id,)
    assert len(told.artifacts) == 2
    assert (runs / first.run_id).is_dir()
    assert clean(runs, keep=1, dry_run=False) == told
    assert not (runs / first.run_id).exists()
    runner = FakeRunner()
    assert run_fake(file, runner=runner, verify=True).status == "succeeded"
    assert runner.stages == []
    assert Path(last.stages["s2"].outputs["out"]).read_text() == "s2(S1())"


def test_results_that_a_later_run_uses_outlive_their_run(tmp_path: Path) -> None:
    """The run that computed them may go."""
    file = chain(tmp_path, 2)
    run_fake(file)
    run_fake(file)
    clean(tmp_path / "runs", keep=1, dry_run=False)
    runner = FakeRunner()
    run_fake(file, runner=runner)
    assert runner.stages == []
