"""Artifacts by digest: exact, written once, verified, never half there."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.store.artifact_store import ArtifactStore, marks_of


def _file(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.binary(max_size=3000))
def test_a_round_trip_is_exact(tmp_path: Path, data: bytes) -> None:
    """Whatever the bytes; the name is their sha256."""
    store = ArtifactStore(tmp_path / "store")
    digest, marks = store.take(_file(tmp_path, data))
    assert digest == hashlib.sha256(data).hexdigest()
    store.place(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == store.master(digest).read_bytes() == data
    assert store.is_whole(digest, marks, deep=True)


def test_masters_and_copies_are_read_only(tmp_path: Path) -> None:
    """So that writing to one needs an effort."""
    store = ArtifactStore(tmp_path / "store")
    file = _file(tmp_path, b"x")
    digest, _ = store.take(file)
    store.place(digest, tmp_path / "copy")
    for path in (file, store.master(digest), tmp_path / "copy"):
        assert path.stat().st_mode & 0o777 == 0o444


def test_equal_bytes_are_stored_once(tmp_path: Path) -> None:
    """The master that is there stays."""
    store = ArtifactStore(tmp_path / "store")
    digest, first = store.take(_file(tmp_path, b"same"))
    assert store.take(_file(tmp_path, b"same")) == (digest, first)
    assert list(store.digests()) == [digest]


def test_a_damaged_master_is_replaced_when_it_is_made_again(tmp_path: Path) -> None:
    """Taking the true bytes once more mends it."""
    store = ArtifactStore(tmp_path / "store")
    digest, marks = store.take(_file(tmp_path, b"true"))
    store.master(digest).chmod(0o644)
    store.master(digest).write_bytes(b"FALSE")
    assert not store.is_whole(digest, marks, deep=False)
    store.take(_file(tmp_path, b"true"))
    assert store.master(digest).read_bytes() == b"true"


@pytest.mark.parametrize("is_dropped", [True, False])
def test_a_folder_in_the_place_of_a_master_is_damage(tmp_path: Path, *, is_dropped: bool) -> None:
    """However it came there: it is dropped, or replaced when the artifact is made again."""
    store = ArtifactStore(tmp_path / "store")
    digest, marks = store.take(_file(tmp_path, b"true"))
    store.master(digest).unlink()
    (store.master(digest) / "inner").mkdir(parents=True)
    assert not store.is_whole(digest, marks, deep=False)
    if is_dropped:
        store.drop(digest)
        assert not store.master(digest).exists()
    store.take(_file(tmp_path, b"true"))
    assert store.master(digest).read_bytes() == b"true"


def test_at_a_glance_means_size_time_and_inode(tmp_path: Path) -> None:
    """Any other means reading."""
    store = ArtifactStore(tmp_path / "store")
    digest, marks = store.take(_file(tmp_path, b"data"))
    assert marks == marks_of(store.master(digest))
    assert store.is_whole(digest, None, deep=False)
    store.drop(digest)
    assert not store.is_whole(digest, marks, deep=False)


def test_leftovers_of_a_dead_writer_are_swept(tmp_path: Path) -> None:
    """They have no digest for a name, so nobody uses them before."""
    store = ArtifactStore(tmp_path / "store")
    store.take(_file(tmp_path, b"x"))
    (store.path / ".part-dead").write_bytes(b"half")
    assert len(list(store.digests())) == 1
    store.sweep()
    assert not (store.path / ".part-dead").exists()


def test_a_failure_leaves_no_part_behind(tmp_path: Path) -> None:
    """A file that cannot be read is no artifact."""
    store = ArtifactStore(tmp_path / "store")
    with pytest.raises(FileNotFoundError):
        store.take(tmp_path / "nothing")
    assert list(store.path.glob(".part-*")) == []


def test_memory_does_not_grow_with_the_artifact(tmp_path: Path) -> None:
    """A sparse file of 300 MB passes through a process that may use little more than it has."""
    program = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from mlkit.store.artifact_store import ArtifactStore\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "store = ArtifactStore(Path(sys.argv[1]) / 'store')\n"
        "digest, marks = store.take(Path(sys.argv[1]) / 'big')\n"
        "assert store.is_whole(digest, None, deep=True)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "sys.exit(0 if after - before < 50_000 else f'{after - before} kB more')\n"
    )
    with (tmp_path / "big").open("wb") as file:
        file.truncate(300 * 2**20)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
