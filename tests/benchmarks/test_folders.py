"""The benchmark of folders measures what it says."""

from __future__ import annotations

from pathlib import Path

from benchmarks.folders import measure, write


def test_the_files_are_many_and_differ(tmp_path: Path) -> None:
    """Equal ones would be kept once."""
    files = [p for p in write(tmp_path / "x", 120, 40).rglob("*") if p.is_file()]
    assert len({p.read_bytes() for p in files}) == 120


def test_each_way_is_measured_and_cleared_up(tmp_path: Path) -> None:
    """With and without what follows on the disk."""
    costs = measure(tmp_path, 20, 40)
    assert {name.partition(",")[0] for name in costs} == {
        *("cp -r", "taken", "copied", "digested", "linked")
    }
    assert min(costs.values()) > 0
    assert not list(tmp_path.iterdir())
