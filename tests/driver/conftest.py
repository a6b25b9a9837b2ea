"""Machines that share a runs folder behind a URL: each is a folder for working copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.remote import S3, s3_server

Machine = Callable[[str], None]


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """A server with the bucket `shared`."""
    with s3_server() as server:
        server.make_bucket("shared")
        yield server


@pytest.fixture
def bucket(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty place in a bucket."""
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    return f"s3://shared/{tmp_path.name}/my {{runs}}"


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty runs folder: on a file system, and in a bucket."""
    if request.param == "file":
        return f"file://{tmp_path}/my {{runs}}"
    place: str = request.getfixturevalue("bucket")
    return place


@pytest.fixture
def place(tmp_path: Path) -> str:
    """The URL of an empty runs folder on a file system."""
    return f"file://{tmp_path}/my {{runs}}"


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Go on as another machine, of that name; it begins with nothing."""

    def move(name: str) -> None:
        monkeypatch.setenv("MLKIT_CACHE_DIR", str(tmp_path / "machines" / name))

    move("one")
    return move
