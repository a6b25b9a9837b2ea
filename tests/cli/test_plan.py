"""`mlkit plan`: what would run, why, and where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlkit.cli.main import main
from mlkit.observe.layout import cell_width
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


def test_instances_share_a_line_and_what_hangs_on_others_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody reads `unknown` ten times; `--instances` and `--json` tell each."""
    many = {"foreach": {"which": ["one", "two", "three"]}}
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", declares="rows: int = 1"),
        Sketch(name="b", upstream=("a",), declares='which: str = ""', keys=many),
        Sketch(name="c", upstream=("a",)),
        Sketch(name="d", upstream=("c",)),
        parameters={"rows": 1},
    )
    run_fake(file)
    same = _plan(capsys, str(file))
    assert "b      ≡ reuse  3 of 3 unchanged" in same
    assert "5 reused" not in same
    assert "6 stages: 6 reused" in same
    changed = _plan(capsys, str(file), "-p", "rows=5")
    assert "Decided once a has run: b (3 instances), c, d" in changed
    assert "6 stages: 1 to run, 5 decided later" in changed
    assert "unknown" not in changed
    forced = _plan(capsys, str(file), "--force", "b[two]")
    assert "b       ≡ reuse  2 of 3 unchanged" in forced
    assert "b[two]  ▶ run    forced" in forced
    assert "b[three]" in _plan(capsys, str(file), "--instances")
    assert set(json.loads(_plan(capsys, str(file), "--json"))["stages"]) >= {"b[one]", "c"}


@pytest.mark.parametrize("columns", ["40", "80"])
def test_a_plan_fits_into_the_terminal(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    """Long names, long values and wide characters wrap; they are all there."""
    monkeypatch.setenv("COLUMNS", columns)
    value = "数据" * 40
    file = write_pipeline(
        tmp_path,
        Sketch(name="a_stage_with_quite_a_long_name", declares='text: str = ""'),
        parameters={"text": "x"},
    )
    run_fake(file)
    said = _plan(capsys, str(file), "-p", f"text={value}")
    assert max(map(cell_width, said.splitlines())) <= int(columns)
    assert said.count("数") >= 40
