"""The runs folder: ids, names, locks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlkit.errors import UnknownRunError
from mlkit.store.folder import RunsFolder, new_run_id
from mlkit.testing import chain, run_fake

WITHOUT = """
import errno, os, sys
def refuse(event, args):
    if event == {event!r}:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), os.fspath(args[0]))
sys.addaudithook(refuse)
from mlkit.testing import run_fake
"""
"""A process of its own to which the system refuses links, as exFAT and some networks do."""


def _without(event: str, then: str, file: Path) -> subprocess.CompletedProcess[str]:
    script = f"{WITHOUT.format(event=event)}\nfile = {str(file)!r}\n{then}"
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_file_system_without_hard_links_will_do(tmp_path: Path) -> None:
    """Results are made, reused and cleaned, and what keys environment variables is made once."""
    file = chain(tmp_path, 2)
    then = """
from pathlib import Path
from mlkit.api.old_runs import clean
from mlkit.store.folder import RunsFolder
folder = RunsFolder(Path(file).parent / "runs")
for _ in range(2):
    print({str(stage.status) for stage in run_fake(file).stages.values()}, folder.trace_key().hex())
clean(folder.path, keep=1, dry_run=False)
print({str(stage.status) for stage in run_fake(file).stages.values()}, folder.trace_key().hex())
"""
    done = _without("os.link", then, file)
    assert done.returncode == 0, done.stderr
    made, *reused = done.stdout.splitlines()
    key = made.split()[-1]
    assert made.startswith("{'succeeded'}")
    assert reused == [f"{{'cached'}} {key}"] * 2
    assert len(key) == 64
    assert [path.name for path in (tmp_path / "runs").glob(".trace-key*")] == [".trace-key"]


def test_a_file_system_without_symbolic_links_is_refused_before_anything_runs(
    tmp_path: Path,
) -> None:
    """Without them there is no `latest`, and a run that has succeeded would end in an error."""
    file = chain(tmp_path, 1)
    done = _without("os.symlink", "run_fake(file)", file)
    assert "has no symbolic links, which 'latest' and the names of runs are" in done.stderr
    assert list((tmp_path / "runs").glob("2*")) == []


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
