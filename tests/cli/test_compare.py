"""`mlkit compare` of two runs, of many, and as a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mlkit.cli.main import app
from mlkit.testing import chain, run_fake


def said(*words: str) -> Result:
    """What the command says."""
    return CliRunner().invoke(app, ["compare", *words])


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, list[str]]:
    """Three runs."""
    file = chain(tmp_path / "p", 2, parameters={"rows": 1})
    return file, [run_fake(file, parameters={"rows": n}).run_id for n in (1, 2, 3)]


def test_two_are_told_in_every_detail_and_more_by_what_differs(
    made: tuple[Path, list[str]],
) -> None:
    """The last word may be the pipeline, as its file or its folder."""
    file, ids = made
    assert "→" in said(*ids[:2], str(file)).output
    three = said(*ids, str(file.parent))
    assert three.output.startswith(f"A  {ids[0]}")
    assert json.loads(said(*ids[:2], str(file), "--json").output)["left"] == ids[0]
    assert len(json.loads(said(*ids, str(file), "--json").output)["runs"]) == 3


def test_two_can_be_a_page(made: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Written where it is asked for."""
    file, ids = made
    page = tmp_path / "c.html"
    assert said(*ids[:2], str(file), "--to", "html", "--out", str(page)).exit_code == 0
    assert "<h1>2 runs compared</h1>" in page.read_text()


def test_one_run_has_nothing_beside_it(made: tuple[Path, list[str]]) -> None:
    """A usage error, before anything is read."""
    file, ids = made
    alone = said(ids[0], str(file))
    assert "there is nothing to compare with" in str(alone.exception)
