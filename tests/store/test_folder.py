"""The runs folder: ids, names, locks."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.errors import UnknownRunError
from mlkit.store.folder import RunsFolder, new_run_id
from mlkit.testing import chain, run_fake


def test_ids_sort_by_time() -> None:
    """Each names its moment to the millisecond."""
    assert new_run_id(1_357_000_000.123).startswith("20130101-002640-123-")
    assert new_run_id(1_000.0) < new_run_id(1_000.5) < new_run_id(2_000.0)
    assert len({new_run_id(1.0) for _ in range(50)}) > 40


def test_a_run_is_found_by_its_only_beginning(tmp_path: Path) -> None:
    """Or as `latest`; anything else is refused with what to do."""
    file = chain(tmp_path, 1)
    one, two = run_fake(file), run_fake(file)
    folder = RunsFolder(tmp_path / "runs")
    assert folder.find(one.run_id[:-1]).path.name == one.run_id
    assert folder.find("latest").path.name == two.run_id
    with pytest.raises(UnknownRunError, match="several runs begin with '2'"):
        folder.find("2")
    with pytest.raises(UnknownRunError, match="there is no run ''"):
        folder.find("")


def test_without_a_success_there_is_no_latest(tmp_path: Path) -> None:
    """The remedy says what to run."""
    with pytest.raises(UnknownRunError, match="no run is latest yet"):
        RunsFolder(tmp_path).find("latest")


def test_a_lock_is_held_by_one_or_shared_by_many(tmp_path: Path) -> None:
    """Runs share the folder's; cleaning holds it alone."""
    folder = RunsFolder(tmp_path)
    shared = folder.lock(shared=True)
    with shared as one, folder.lock(shared=True) as two, folder.lock(shared=False) as alone:
        assert (one, two, alone) == (True, True, False)
    with folder.lock(shared=False) as alone:
        assert alone
