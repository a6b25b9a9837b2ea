"""The flights pipeline month by month, in a run for each and in one run of all, really made."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import pytest

from mlkit.core.logical_date import takes_logical_date
from mlkit.load.pipeline_file import load_pipeline
from tests.notebooks.conftest import NOTEBOOKS, command, environment

MONTHLY, YEAR = NOTEBOOKS / "flights" / "monthly", NOTEBOOKS / "flights" / "year"
FILES = sorted([*MONTHLY.glob("*.ipynb"), *YEAR.glob("*.ipynb")])
every_notebook = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def _cells(file: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return cells


def test_the_pipeline_takes_the_logical_date_and_registers_nothing() -> None:
    """Making up for past months must not change which model is in use."""
    pipeline = load_pipeline(MONTHLY)
    assert takes_logical_date(pipeline)
    assert not {"register", "deploy", "champion"} & set(pipeline.stages)


@every_notebook
def test_a_notebook_is_valid_clean_and_framed(file: Path) -> None:
    """Nbformat 4.5, no outputs, one title first and a recap last, links that lead somewhere."""
    nbformat.validate(json.loads(file.read_text(encoding="utf-8")))
    cells = _cells(file)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    assert prose[0].startswith("# ")
    assert prose[-1].startswith("## Recap\n")
    links = re.findall(r"\]\(([^)]+)\)", " ".join(prose))
    assert links
    assert [link for link in links if not (file.parent / link).is_file()] == []


def _said(runs: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [command("mlkit"), *words, "--runs-dir", str(runs), "--json"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _run(runs: Path, *months: str) -> dict[str, Any]:
    return _said(runs, "run", str(YEAR), "-p", f"months={json.dumps(months)}", "-p", "rows=1000")


@pytest.mark.kernel
def test_a_month_more_runs_its_own_instances_and_the_year(tmp_path: Path) -> None:
    """The notebooks in the middle have no need of the month: each is handed its own file."""
    first = _run(tmp_path, "2013-06-01")
    assert len(first["stages"]) == 9
    second = _run(tmp_path, "2013-06-01", "2013-09-01")
    made = {name for name, item in second["stages"].items() if item["status"] == "succeeded"}
    assert made == {name for name in second["stages"] if "2013-09-01" in name} | {"year"}
    assert {item["status"] for item in second["stages"].values()} == {"succeeded", "cached"}
    table = (tmp_path / second["run_id"] / "year" / "year.csv").read_text()
    assert [line.partition(",")[0] for line in table.splitlines()] == [
        "month",
        "2013-06",
        "2013-09",
    ]


def _backfill(runs: Path, *more: str) -> dict[str, Any]:
    span = ("--from", "2013-01-01", "--to", "2013-02-28")
    return _said(runs, "backfill", str(MONTHLY), *span, "-p", "rows=1500", *more)


@pytest.mark.kernel
@pytest.mark.slow  # the notebooks in the middle are run above
def test_two_months_are_made_up_once(tmp_path: Path) -> None:
    """Each with its own flights; the second time nothing is left to do."""
    first = _backfill(tmp_path)
    assert [item["status"] for item in first["intervals"]] == ["succeeded"] * 2
    facts = [
        json.loads((tmp_path / item["run_id"] / "report" / "month.json").read_text())
        for item in first["intervals"]
    ]
    assert [fact["month"] for fact in facts] == ["2013-01", "2013-02"]
    assert facts[0]["late_share"] != facts[1]["late_share"]
    assert all(0.5 < fact["roc_auc"] < 1 for fact in facts)
    again = _backfill(tmp_path)
    assert [item["status"] for item in again["intervals"]] == ["kept"] * 2
