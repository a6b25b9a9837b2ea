"""A folder behind a URL: whole files in and out, and errors as sentences."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec import get_filesystem_class

from mlkit.errors import StoreError, UsageError
from mlkit.store.remote import files
from mlkit.store.remote.files import Remote
from tests.remote import S3

ODD = "stage[a b]/{x}/ä%2F?#.txt"


def test_what_goes_in_comes_out(url: str, tmp_path: Path) -> None:
    """Bytes and files, under odd names; what is not there is None."""
    remote = Remote(url)
    remote.check(writes=True)
    file = tmp_path / "local"
    file.write_bytes(b"from a file")
    remote.write(ODD, b"from bytes")
    remote.upload(file, "ab/cd")
    assert remote.read(ODD) == b"from bytes"
    assert remote.read("nothing") is None
    assert (remote.size("ab/cd"), remote.size("ab"), remote.size("nothing")) == (11, None, None)
    assert remote.download("ab/cd", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"from a file"
    assert not remote.download("nothing", tmp_path / "none")
    assert remote.read_all(["ab/cd", "nothing", ODD]) == {
        "ab/cd": b"from a file",
        ODD: b"from bytes",
    }


def test_what_stands_there_is_listed_and_removed(url: str) -> None:
    """Below a folder, in order, as it is now; a name that only begins alike is not below it."""
    remote = Remote(url)
    assert remote.entries() == []
    for name in ("runs/b", "runs/a[1]", "runs2/c"):
        remote.write(name, name.encode())
    assert [entry.name for entry in remote.entries("runs")] == ["runs/a[1]", "runs/b"]
    assert [entry.size_bytes for entry in remote.entries("runs2")] == [7]
    (before,) = remote.entries("runs2")
    remote.write("runs2/c", b"changed")
    assert remote.entries("runs2") != [before]
    remote.remove(["runs/a[1]", "nothing"])
    assert [entry.name for entry in remote.entries()] == ["runs/b", "runs2/c"]


def test_a_part_that_a_writer_left_is_nothing(tmp_path: Path) -> None:
    """On a file system a file gets its name when it is whole."""
    remote = Remote(f"file://{tmp_path}/place")
    remote.write("whole", b"x")
    (tmp_path / "place" / ".part-0123").write_bytes(b"half")
    assert [entry.name for entry in remote.entries()] == ["whole"]
    with pytest.raises(StoreError):
        remote.upload(tmp_path / "nothing", "new")
    remote.sweep()
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["whole"]


def _refusal(url: str, *, writes: bool = True) -> UsageError:
    with pytest.raises((UsageError, StoreError)) as caught:
        Remote(url).check(writes=writes)
    assert caught.value.remedy
    assert "Traceback" not in str(caught.value)
    return caught.value  # type: ignore[return-value] # both have what is looked at


def test_a_place_that_cannot_be_used_is_a_sentence(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No such bucket, nobody there, no credentials, an unknown kind; each with its remedy."""
    import s3fs

    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    for writes in (True, False):
        assert "Make the bucket first" in str(_refusal("s3://no-such-bucket/x", writes=writes))
    assert "s3://, gs:// or file://" in str(_refusal("what://ever/x"))
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "AWS_ENDPOINT_URL" in str(_refusal("s3://shared/x"))
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "AWS_ACCESS_KEY_ID" in str(_refusal("s3://shared/x"))
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def new_clients() -> Iterator[None]:
    """Clients of this test's own: fsspec keeps one, with its endpoint, for the whole process."""
    kind = get_filesystem_class("s3")
    kind.clear_instance_cache()
    yield
    kind.clear_instance_cache()


@pytest.mark.usefixtures("new_clients")
@pytest.mark.parametrize("writes", [True, False])
def test_a_store_that_never_answers_is_told_before_long(
    s3: S3, monkeypatch: pytest.MonkeyPatch, *, writes: bool
) -> None:
    """It takes connections and is silent; its library alone would wait a quarter of an hour."""
    monkeypatch.setattr(files, "ANSWER_WITHIN_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for name, value in s3.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(UsageError, match="the store cannot be used: no answer"):
            Remote("s3://silent/runs").check(writes=writes)
        assert time.monotonic() - began < 30
