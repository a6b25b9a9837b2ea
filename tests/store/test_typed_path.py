"""Paths as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.store.typed_path import typed_path


def test_the_home_folder_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the beginning only."""
    monkeypatch.setenv("HOME", "/home/me")
    assert typed_path("~/p") == Path("/home/me/p")
    assert typed_path(Path("a/~")) == Path("a/~")


def test_a_user_who_is_not_there_is_a_name_like_any_other() -> None:
    """Nothing is broken: the command then says that there is no such pipeline."""
    assert typed_path("~no-such-user/p") == Path("~no-such-user/p")
