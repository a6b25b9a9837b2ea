"""Folders among the artifacts, as terminal, report and widgets show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.core.record import RunRecord
from mlkit.reports.folder_look import FolderLook, folder_look
from mlkit.reports.html import render_report
from mlkit.reports.notebook_page import render_notebook_page
from mlkit.reports.text_tables import show_text
from mlkit.testing import Sketch, run_fake, write_notebook, write_pipeline
from mlkit.widgets.views.artifact_preview import preview


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    """A run with a folder of twelve files, and an optional output that is absent."""
    body = (
        "from pathlib import Path\n(Path(parts) / '<sub>').mkdir()\n"
        "for k in range(12): (Path(parts) / '<sub>' / f'{k:02}.csv').write_text('x' * 100)"
    )
    outputs = {"outputs": {"parts": "parts/", "extra": "extra.json?"}}
    return run_fake(write_pipeline(tmp_path, Sketch(name="w", file="", body=body, keys=outputs)))


def test_a_folder_is_counted_and_its_first_names_are_given(tmp_path: Path) -> None:
    """In order, at any depth."""
    for name in ("b/2", "b/1", "a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("xyz")
    assert folder_look(tmp_path) == FolderLook(
        files=3, size_bytes=9, names=("a.csv", "b/1", "b/2"), kinds=frozenset({".csv", ""})
    )
    assert folder_look(tmp_path / "a.csv") is None
    assert folder_look(tmp_path / "gone") is None


def test_show_names_the_folder_and_what_is_missing(record: RunRecord) -> None:
    """With a slash, its files and its size."""
    text = show_text(record, folder=Path(record.runs_dir), width=120)
    line = next(line for line in text.splitlines() if "w/parts/" in line)
    assert "1.2 kB" in line
    assert line.endswith("12 files")
    assert "w: no 'extra'" in text


def test_the_report_lists_folders(record: RunRecord) -> None:
    """Names from a stage are escaped."""
    page = render_report(record)
    assert '<a href="#folders">Folders</a>' in page
    assert '<td data-label="Output">parts (parts/)</td><td data-label="Files">12 files</td>' in page
    assert "&lt;sub&gt;/00.csv" in page
    assert "and 4 more" in page


def test_a_folder_is_looked_at_beside_its_stage(record: RunRecord) -> None:
    """As any artifact is."""
    shown = preview(Path(record.stages["w"].outputs["parts"]), "parts")
    assert shown.startswith("<p>12 files, 1.2 kB: &lt;sub&gt;/00.csv, ")


def test_a_partitioned_table_opens_as_one(tmp_path: Path) -> None:
    """The partitions' names are a column; nothing but footers is read."""
    import pandas as pd

    frame = pd.DataFrame({"month": [1, 1, 2], "x": [1.0, 2.0, 3.0]})
    frame.to_parquet(tmp_path / "table", partition_cols=["month"])
    assert preview(tmp_path / "table", "table").endswith("<p>3 rows, 2 columns: x, month</p>")
    assert preview(tmp_path / "table", "table").startswith("<p>2 files, ")


def test_a_broken_part_is_told(tmp_path: Path) -> None:
    """The folder is shown all the same."""
    (tmp_path / "a.parquet").write_text("no Parquet at all")
    assert "<p>It cannot be read as one table: " in preview(tmp_path, "table")


def test_an_executed_notebook_is_a_page_of_its_own(tmp_path: Path) -> None:
    """Prose and code; it runs no script, and what it holds is not trusted."""
    notebook = write_notebook(
        tmp_path / "n.ipynb", "#%% md\n# Heading <script>alert(1)</script>", "print('a<b')"
    )
    page = render_notebook_page(notebook, "report[<x>]")
    assert "<title>report[&lt;x&gt;]</title>" in page
    assert "Heading" in page
    assert "<script" not in page
    assert "default-src 'none'" in page
