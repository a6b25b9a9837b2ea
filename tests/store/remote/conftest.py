"""Machines that share a runs folder behind a URL: each is a folder for working copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Machine = Callable[[str], None]


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
