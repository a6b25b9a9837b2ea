"""The run's report."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mlkit.core.pipeline import Pipeline
from mlkit.core.record import ArtifactRecord, RunRecord
from mlkit.core.states import RunStatus
from mlkit.errors import RunsFolderError
from mlkit.reports.html import render_report, write_report
from mlkit.reports.report_parts import format_size
from tests.reports.conftest import PNG

VOID = {"meta", "img", "br", "hr", "link", "input", "col"}


class Page(HTMLParser):
    """What a test wants to know of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.mismatched: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, and that it is open."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an empty tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close a tag; it has to be the last one opened."""
        if not self.open or self.open.pop() != tag:
            self.mismatched.append(tag)


@pytest.fixture
def red_page(red: RunRecord, flights: Pipeline) -> str:
    """The report of a run that failed."""
    return render_report(red, pipeline=flights, folder=Path("/project"))


@pytest.fixture
def green_page(green: RunRecord, flights: Pipeline) -> str:
    """The report of a run that succeeded."""
    return render_report(green, pipeline=flights, folder=Path("/project"))


def test_the_verdict_comes_first_and_says_what_to_do(red_page: str, red: RunRecord) -> None:
    """It names the stage, its error, and the commands."""
    top = red_page[: red_page.index('id="failures"')]
    assert "failed after 21.0 s: train[xgboost] raised ValueError" in top
    assert "Because of that 6 stages could not run." in top
    assert f"mlkit debug {red.run_id} &#39;train[xgboost]&#39;" in top
    assert f"mlkit resume {red.run_id}" in top


def test_a_failure_is_shown_with_its_cell_traceback_and_log(red_page: str) -> None:
    """The log is cut to its end."""
    section = red_page[red_page.index('id="failures"') : red_page.index('id="graph"')]
    assert "(cell 3)" in section
    assert '<span class="hl-n">late</span>' in section
    assert "Traceback (most recent call last):" in section
    assert "line 199" in section
    assert "line 159\n" not in section


def test_nothing_runs_and_nothing_is_loaded(red_page: str, green_page: str) -> None:
    """No script, no handler, no address but data and anchors; and a policy that says so."""
    for content in (red_page, green_page):
        page = Page(content)
        assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
        for _, attributes in page.tags:
            assert not [name for name in attributes if name.startswith("on")]
            for name in ("src", "href"):
                value = attributes.get(name) or "#"
                assert value.startswith(("#", "data:image/")), value
        assert "default-src 'none'" in content
        assert not re.search(r"@import|url\((?!#)", content)


def test_texts_from_the_run_are_escaped(red_page: str) -> None:
    """The error's message holds a script tag."""
    assert "<script>" not in red_page
    assert "&lt;script&gt;alert(1)" in red_page


def test_the_page_is_well_formed(red_page: str, green_page: str) -> None:
    """Every element is closed in its order, and ids are unique."""
    for content in (red_page, green_page):
        page = Page(content)
        assert page.mismatched == []
        assert page.open == []
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        anchors = {a["href"] for t, a in page.tags if t == "a" and "href" in a}
        assert {f"#{name}" for name in ids} >= anchors


def test_headings_are_in_order_and_pictures_have_words(red_page: str, green_page: str) -> None:
    """One first heading, no level left out, a text for each picture, a region for each table."""
    for content in (red_page, green_page):
        page = Page(content)
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
        assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
        drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
        assert drawings
        assert all(attributes["aria-label"] for attributes in drawings)
        assert page.tags[[tag for tag, _ in page.tags].index("body") + 1][1]["href"] == "#main"


def test_the_models_are_compared_from_their_artifacts(green_page: str) -> None:
    """Bars with values, and a caption that states the finding."""
    assert "roc_auc: 0.671 (logistic_regression) to 0.697 (xgboost)" in green_page
    assert "0.697 highest" in green_page


def test_parameters_show_where_they_came_from(green_page: str) -> None:
    """As far as the record knows."""
    assert re.search(
        r'rows</th><td data-label="Value"><code>20000</code></td><td data-label="From">-p<',
        green_page,
    )
    assert re.search(
        r'seed</th><td data-label="Value"><code>42</code></td><td data-label="From">–<', green_page
    )


def test_outputs_show_size_and_digest(green_page: str, green: RunRecord) -> None:
    """The whole digest stands in the title."""
    artifact = green.stages["collect"].artifacts["flights"]
    assert f'title="sha256 {artifact.digest}"' in green_page
    assert "flights.parquet" in green_page
    assert "4.0 kB" in green_page


def test_plots_that_notebooks_drew_are_among_the_pictures(green: RunRecord) -> None:
    """Each once, with the way to its notebook; one that is an artifact as well comes only so."""
    plots = [{"output_type": "display_data", "data": {"image/png": b}} for b in (PNG, "AAAA")]
    cell = {"cell_type": "code", "source": "x", "metadata": {}, "outputs": [*plots, *plots]}
    folder = Path(green.runs_dir) / green.run_id / "gate"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": [cell]}), encoding="utf-8")
    section = render_report(green).partition('id="pictures"')[2].partition("</section>")[0]
    assert section.count("gate: drawn in cell 1</a>") == 1
    assert section.count("data:image/png;base64,AAAA") == 1


def test_pictures_among_the_artifacts_are_embedded(green_page: str) -> None:
    """With a text that says what they are."""
    assert 'alt="curve, drawn by stage evaluate"' in green_page


def test_retries_are_listed(green_page: str) -> None:
    """Every attempt, its wait and its error."""
    section = green_page[green_page.index('id="retries"') : green_page.index('id="notebooks"')]
    assert "ConnectionError: the server went away" in section
    assert "1.0 s" in section


def test_missing_files_do_not_stop_the_report(green: RunRecord) -> None:
    """Neither artifacts nor notebooks nor logs need to exist."""
    gone = ArtifactRecord(path="/gone/metrics.json", digest="0" * 64, size_bytes=5)
    picture = ArtifactRecord(path="/gone/a.png", digest="0" * 64, size_bytes=5)
    stage = replace(green.stages["gate"], artifacts={"metrics": gone, "a": picture})
    record = replace(green, runs_dir="/gone", stages={**green.stages, "gate": stage})
    assert "No executed notebook was kept" in render_report(record)


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_status_of_a_run_has_a_verdict(green: RunRecord, status: RunStatus) -> None:
    """Also that of a run that was killed, or that selected no stage."""
    page = render_report(replace(green, status=status, ended=None))
    assert f'class="verdict state-{status.value}"' in page
    assert render_report(replace(green, status=status, stages={}, edges={}, parameters={}))


def test_the_file_is_written_whole_or_not_at_all(green: RunRecord, tmp_path: Path) -> None:
    """Its folder is made; nothing else is left beside it."""
    target = tmp_path / "new" / "report.html"
    assert write_report(green, target) == target
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    for impossible in (blocked / "report.html", tmp_path / "new"):
        with pytest.raises(RunsFolderError, match="the file cannot be written") as caught:
            write_report(green, impossible)
        assert caught.value.exit_code == 2  # a mistake in what was asked for


def test_sizes_are_written_for_people() -> None:
    """Decimal units."""
    assert [format_size(n) for n in (0, 999, 1_234, 5e6, 7e12)] == [
        "0 B",
        "999 B",
        "1.2 kB",
        "5.0 MB",
        "7000.0 GB",
    ]


def test_an_optional_output_that_was_not_written_is_told(green: RunRecord) -> None:
    """Beside the outputs that are there."""
    collect = replace(green.stages["collect"], absent=("extra",))
    page = render_report(replace(green, stages={**green.stages, "collect": collect}))
    assert "no &#39;extra&#39; (optional)" in page or "no 'extra' (optional)" in page


def test_a_pipeline_that_has_changed_since_is_not_drawn(
    green: RunRecord, flights: Pipeline
) -> None:
    """The record's own edges are."""
    stages = {name: stage for name, stage in flights.stages.items() if name != "alert"}
    page = render_report(green, pipeline=replace(flights, stages=stages))
    assert "decision = register" not in page
    assert "» skipped" in page
