"""What a kernel tells of itself, also when odd things stand in `sys.modules`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mlkit.inside import attempt


class Lazy:
    """An object that refuses every question, as lazily imported modules do."""

    def __getattr__(self, name: str) -> Any:
        raise ImportError(f"{name} is not to be had")


def test_an_object_that_refuses_questions_does_not_stop_the_telling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules beside it are still told."""
    own = tmp_path / "own_module.py"
    own.write_text("x = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    attempt.begin(str(tmp_path))
    __import__("own_module")
    monkeypatch.setitem(sys.modules, "refusing", Lazy())
    attempt.end(str(tmp_path / "facts.json"))
    facts = json.loads((tmp_path / "facts.json").read_text(encoding="utf-8"))
    assert facts["modules"]["own_module"] == str(own)
    assert "own_module" in facts["fresh"]
    assert facts["cpu_s"] > 0
