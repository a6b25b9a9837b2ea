"""Whether this machine has a sandbox is tried before it is relied on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.grading.sandbox import trial as sandbox


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
