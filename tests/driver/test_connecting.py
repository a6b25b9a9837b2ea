"""A full disk, a read-only folder, an interruption: a clear error, nothing finished is lost."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlkit import resume
from mlkit.errors import RunsFolderError
from mlkit.notebook.notebook_runner import ExecutionRequest, ExecutionResult
from mlkit.testing import FakeRunner, Sketch, chain, run_fake, write_pipeline
from mlkit.testing.running import fake_services


def _only_run(file: Path) -> str:
    return next(p.name for p in sorted((file.parent / "runs").iterdir()) if p.name[:2] == "20")


def _refusing(number: int) -> Any:
    def refuse(request: ExecutionRequest) -> ExecutionResult:
        raise OSError(number, os.strerror(number), str(request.notebook))

    return refuse


@pytest.mark.parametrize(
    ("number", "fact", "remedy"),
    [
        (errno.ENOSPC, "No space left on device", "mlkit clean"),
        (errno.EROFS, "Read-only file system", "--runs-dir"),
        (errno.EACCES, "Permission denied", "--runs-dir"),
    ],
)
def test_a_disk_that_refuses_is_a_sentence(
    tmp_path: Path, number: int, fact: str, remedy: str
) -> None:
    """What was finished is kept, and resume finishes the run."""
    file = chain(tmp_path)
    with pytest.raises(RunsFolderError) as caught:
        run_fake(file, runner=FakeRunner({"s2": [_refusing(number)]}))
    assert fact in str(caught.value)
    assert remedy in str(caught.value)
    runner = FakeRunner()
    again = resume(_only_run(file), file, services=fake_services(runner=runner))
    assert (again.status, runner.stages) == ("succeeded", ["s2", "s3"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB, if this machine lets one be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def _big(name: str, size: int, *upstream: str) -> Sketch:
    body = f"open(out, 'wb').write(b'{name}' * {size})"
    return Sketch(name=name, upstream=upstream, body=body)


def test_a_disk_that_is_really_full(tmp_path: Path, small_disk: Path) -> None:
    """The second artifact does not fit; the first is kept; with room the run is resumed."""
    file = write_pipeline(tmp_path / "p", _big("a", 300_000), _big("b", 800_000, "a"))
    runs = small_disk / "runs"
    with pytest.raises(RunsFolderError) as caught:
        run_fake(file, runs_dir=runs)
    assert "No space left on device" in str(caught.value) or "full" in str(caught.value)
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    run_id = next(p.name for p in runs.iterdir() if p.name[:2] == "20")
    runner = FakeRunner()
    again = resume(run_id, file, runs_dir=runs, services=fake_services(runner=runner))
    assert (again.status, runner.stages) == ("succeeded", ["b"])
    assert _integrity(runs / "mlkit.db") == "ok"


def test_a_read_only_file_system(tmp_path: Path, small_disk: Path) -> None:
    """A run is refused with what to do."""
    file = chain(tmp_path / "p", 1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(RunsFolderError) as caught:
        run_fake(file, runs_dir=small_disk / "runs")
    assert "Read-only file system" in str(caught.value)
    assert "--runs-dir" in str(caught.value)


def test_a_runs_folder_that_is_a_file(tmp_path: Path) -> None:
    """Is refused with its path."""
    file = chain(tmp_path, 1)
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(RunsFolderError, match="the runs folder cannot be used"):
        run_fake(file)


def test_a_database_that_is_none(tmp_path: Path) -> None:
    """Is refused with its path."""
    file = chain(tmp_path, 1)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mlkit.db").write_text("this is no database, however long it may be")
    with pytest.raises(RunsFolderError, match="the database of the runs folder cannot be used"):
        run_fake(file)


def _integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()
