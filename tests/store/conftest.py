"""Stores behind URLs: a folder by file://, and a bucket of moto's server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.other_user import place_for_everybody


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty place, with a space and braces in it."""
    if request.param == "file":
        return f"file://{tmp_path}/re mote{{x}}"
    place: str = request.getfixturevalue("bucket")
    return place


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every user of the machine may enter."""
    with place_for_everybody() as place:
        yield place
