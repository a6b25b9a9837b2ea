"""Whether this machine has a sandbox is tried before it is relied on."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from mlkit.grading.sandbox import trial as sandbox
from mlkit.grading.sandbox.walls import trial_command


def test_a_sandbox_that_does_not_work_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bubblewrap that fails, as in a container that forbids namespaces."""
    for name in ("bwrap", "setpriv"):
        tool = tmp_path / name
        tool.write_text("#!/bin/sh\necho No permissions >&2; exit 1\n", encoding="utf-8")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox.why_limited.cache_clear()
    try:
        assert sandbox.why_limited() == "bubblewrap does not work here (No permissions)"
        assert sandbox.isolation() == "limited"
    finally:
        sandbox.why_limited.cache_clear()


@pytest.mark.parametrize("user", [0, 1000])
def test_the_folder_of_devices_is_closed_whoever_starts_the_sandbox(
    user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in memory, without a size; to who is not root it belongs, inside the sandbox too."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    walls = [*pairwise(trial_command(0))]
    made, closed = walls.index(("--dev", "/dev")), walls.index(("--remount-ro", "/dev"))
    assert made < walls.index(("--tmpfs", "/dev/shm")) < closed < walls.index(("--remount-ro", "/"))
