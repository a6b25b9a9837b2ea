"""The report as a PDF."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from pypdf import PdfReader

from mlkit.cli.main import main
from mlkit.core.record import RunRecord
from mlkit.errors import ExecutionError, MissingExtraError
from mlkit.reports.html import write_report
from mlkit.reports.pdf import BROWSER_VARIABLE, find_browser, print_pdf


@pytest.mark.browser
def test_a_pdf_holds_the_whole_report(green: RunRecord, tmp_path: Path) -> None:
    """Its verdict, every stage, and what is folded on the page."""
    page = write_report(green, tmp_path / "a {page}.html")
    file = print_pdf(page, tmp_path / "new folder" / "report.pdf", find_browser())
    text = "".join(page.extract_text() for page in PdfReader(file).pages)
    flat = "".join(unicodedata.normalize("NFKC", text).split())
    assert "".join(green.run_id.split()) in flat
    assert [stage for stage in green.stages if "".join(stage.split()) not in flat] == []
    assert "Whatitreceived" in flat
    assert [p.name for p in file.parent.iterdir()] == ["report.pdf"]


def test_a_browser_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install, or which name is wrong."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv(BROWSER_VARIABLE, raising=False)
    with pytest.raises(MissingExtraError, match="apt-get install chromium"):
        find_browser()
    monkeypatch.setenv(BROWSER_VARIABLE, "netscape")
    with pytest.raises(MissingExtraError, match="names 'netscape', which cannot be run"):
        find_browser()


def test_a_browser_that_prints_nothing_leaves_the_old_file(tmp_path: Path) -> None:
    """The error holds what it said."""
    page, file = tmp_path / "page.html", tmp_path / "report.pdf"
    page.write_text("<p>x</p>")
    file.write_bytes(b"old")
    broken = tmp_path / "browser"
    broken.write_text("#!/bin/sh\necho 'no display' >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(ExecutionError, match="printed no PDF: no display"):
        print_pdf(page, file, str(broken))
    assert file.read_bytes() == b"old"


def test_a_form_that_does_not_exist_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2 and the forms that there are."""
    with pytest.raises(SystemExit) as ended:
        main(["report", "latest", "--to", "doc"])
    assert ended.value.code == 2
    assert "'html', 'pdf'" in capsys.readouterr().err
