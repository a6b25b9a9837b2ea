"""`mlkit plan`: what would run, why, and where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlkit.cli.main import main
from mlkit.testing import Sketch, run_fake, write_pipeline


def _plan(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["plan", *arguments])
    assert not ended.value.code
    return capsys.readouterr().out


def test_json_and_text_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Action and reasons of each stage; the origin of each parameter."""
    file = write_pipeline(
        tmp_path, Sketch(name="a", declares="rows: int = 1"), parameters={"rows": 1}
    )
    run_fake(file)
    document = json.loads(_plan(capsys, str(file), "-p", "rows=5", "--json"))
    assert document["stages"] == {"a": {"action": "run", "reasons": ["parameter rows: 1 → 5"]}}
    assert document["parameters"]["rows"]["value"] == 5
    text = _plan(capsys, str(file), "-p", "rows=5")
    assert "parameter rows: 1 → 5" in text
    assert "command line" in text
    assert "reuse" in _plan(capsys, str(file))
