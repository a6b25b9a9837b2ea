"""Cleaning a runs folder: what goes, and what somebody still needs."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlkit.api.labelling import label
from mlkit.api.old_runs import clean
from mlkit.api.records import find_run
from mlkit.core.states import RunStatus
from mlkit.errors import UsageError
from mlkit.store.folder import RunsFolder
from mlkit.testing import (
    FakeClock,
    diamond,
    run_fake,
)


def test_cleaning_leaves_an_orchestrators_unfinished_run(tmp_path: Path) -> None:
    """The next task finds it; one that has ended, or is too old, goes."""
    file, runs = diamond(tmp_path), tmp_path / "runs"
    run_fake(file)
    run_fake(file, only="top", run_id="R1")
    run_fake(file, only="top", run_id="R2", clock=FakeClock(time.time() - 8 * DAY_S))
    run_fake(file, only="top", run_id="R3", clock=FakeClock(time.time() + 400 * DAY_S))
    assert set(clean(runs, keep=0, dry_run=False).runs) == {"R2", "R3"}
    for stage in ("left", "right", "bottom"):
        run_fake(file, only=stage, run_id="R1")
    assert find_run("R1", runs).status is RunStatus.SUCCEEDED
    newest = run_fake(file)
    assert "R1" in clean(runs, keep=0, dry_run=False).runs
    run_fake(file, only="top", run_id="R4")
    assert clean(runs, keep=0, unfinished_for_s=0.0).runs == ("R4",)
    assert newest.run_id == (runs / "latest").resolve().name


def test_a_run_waits_for_who_cleans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nightly run does not fail because somebody cleans; it gives up where that never ends."""
    file, folder = diamond(tmp_path), RunsFolder(tmp_path / "runs")
    run_fake(file)
    with ThreadPoolExecutor(1) as pool:
        with folder.lock(shared=False) as alone:
            assert alone
            waiting = pool.submit(run_fake, file)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
            monkeypatch.setattr("mlkit.store.folder._CLEANING_S", 0.05)
            with pytest.raises(UsageError, match="the runs folder is being cleaned"):
                run_fake(file)
            with pytest.raises(UsageError, match="the runs folder is being cleaned"):
                label("latest", "good", runs_dir=folder.path)
        assert waiting.result(timeout=30).status is RunStatus.SUCCEEDED


DAY_S = 86_400.0
