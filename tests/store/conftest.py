"""Stores behind URLs: a folder by file://, and a bucket of moto's server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.other_user import place_for_everybody
from tests.remote import S3, s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """A server with the bucket `shared`."""
    with s3_server() as server:
        server.make_bucket("shared")
        yield server


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty place, with a space and braces in it."""
    if request.param == "file":
        return f"file://{tmp_path}/re mote{{x}}"
    server: S3 = request.getfixturevalue("s3")
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return f"s3://shared/{tmp_path.name}/re mote{{x}}"


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every user of the machine may enter."""
    with place_for_everybody() as place:
        yield place
