"""`mlkit clean`: what goes, and only when told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call

pytestmark = pytest.mark.kernel


def test_clean_shows_first_and_removes_when_told(call: Call, words: Path, tmp_path: Path) -> None:
    """Old runs and what only they used go; the latest run still has all its files."""
    for many in (1, 2):
        call("run", words, "-p", f"many={many}", "--runs-dir", tmp_path, "--name", f"m{many}")
    call("promote", "m2", words, "--runs-dir", tmp_path)
    call("unlabel", "m1", words, "--runs-dir", tmp_path)
    call("unlabel", "m2", words, "--runs-dir", tmp_path)
    before = sorted(path.name for path in (tmp_path / "store").glob("*/*"))
    dry = call("clean", words, "--keep", "1", "--runs-dir", tmp_path, "--json")
    assert dry.json()["removed"] is False
    assert len(dry.json()["runs"]) == 1
    assert sorted(path.name for path in (tmp_path / "store").glob("*/*")) == before
    done = call("clean", words, "--keep", "1", "--runs-dir", tmp_path, "--yes", "--json")
    assert done.json()["removed"] is True
    assert done.json()["size_bytes"] > 0
    assert len(list((tmp_path / "store").glob("*/*"))) == 2
    assert json.loads((tmp_path / "latest/count/metrics.json").read_text()) == {"count": 2}
    assert "2 stages cached" in call("run", words, "-p", "many=2", "--runs-dir", tmp_path).out
    assert "2 stages succeeded" in call("run", words, "-p", "many=1", "--runs-dir", tmp_path).out


def test_clean_refuses_a_duration_that_is_none(call: Call, words: Path, tmp_path: Path) -> None:
    """A mistake is named before anything is removed."""
    spoken = call("clean", words, "--older-than", "soon", "--runs-dir", tmp_path)
    assert spoken.code == 2
    assert "'soon' is not a duration" in spoken.err
