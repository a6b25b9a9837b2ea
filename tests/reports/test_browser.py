"""The report in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.values import safe_name
from mlkit.reports.html import render_report
from tests.browser.lab import chromium, shot, violations
from tests.browser.layout import SEEN_IN, layout_problems
from tests.reports.conftest import PNG

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--dump-dom",
]
OWN = "document.title='owned'"
ATTACKS = [
    f"<script>{OWN}</script>",
    f'<img src="data:x" onerror="{OWN}">',
    f'<svg onload="{OWN}"><script>{OWN}</script></svg>',
    f"</style></title></pre></code><script>{OWN}</script>",
    f'"><img src=x onerror="{OWN}">',
    f'<math><mtext><table><mglyph><style><img src=x onerror="{OWN}">',
    f'<details open ontoggle="{OWN}">x</details>',
    f'<iframe srcdoc="<script>parent.{OWN}</script>"></iframe>',
]


def spoil(record: RunRecord, stage: str) -> RunRecord:
    """Put every attack into every place of a run that a notebook or a user can fill."""
    cells: list[dict[str, object]] = [
        {
            "cell_type": kind,
            "source": attack,
            "metadata": {},
            "execution_count": 1,
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": attack},
                {"output_type": "error", "ename": attack, "evalue": "", "traceback": [attack]},
                {"output_type": "display_data", "data": {"text/html": attack}},
                {"output_type": "display_data", "data": {"text/markdown": attack}},
                {"output_type": "display_data", "data": {"image/svg+xml": attack}},
            ],
        }
        for attack in ATTACKS
        for kind in ("markdown", "code")
    ]
    folder = Path(record.runs_dir) / record.run_id / safe_name(stage)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    item = replace(record.stages[stage], reason="".join(ATTACKS), parameters={"p": ATTACKS})
    return replace(
        record,
        parameters={attack: attack for attack in ATTACKS},
        warnings=tuple(ATTACKS),
        stages={**record.stages, stage: item},
    )


def dom(page: Path, profile: Path) -> str:
    """Give a page's document as the browser has it once everything has run."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.fail("Chromium is not installed: make test-browser")
    command = [browser, *FLAGS, f"--user-data-dir={profile}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


@pytest.mark.browser
def test_nothing_in_a_run_gets_a_browser_to_run_it(
    red: RunRecord, flights: Pipeline, tmp_path: Path
) -> None:
    """Even without the page's policy, the escaping and the sanitiser hold by themselves."""
    content = render_report(spoil(red, "collect"), pipeline=flights)
    bare = re.sub(r"<meta http-equiv[^>]*>", "", content)
    assert bare != content
    page = tmp_path / "report.html"
    page.write_text(bare, encoding="utf-8")
    document = dom(page, tmp_path / "profile")
    assert "<title>✗ flights: run" in document
    assert document.count('<section class="notebook"') == len(red.stages)


@pytest.mark.browser
def test_the_check_itself_notices_a_script_that_runs(tmp_path: Path) -> None:
    """Otherwise the test above could not fail."""
    page = tmp_path / "page.html"
    page.write_text(f"<title>safe</title><p>{ATTACKS[1]}</p>", encoding="utf-8")
    assert "<title>owned</title>" in dom(page, tmp_path / "profile")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for what is looked at."""
    with chromium() as started:
        yield started


def plots(record: RunRecord, stage: str) -> None:
    """Let a stage's notebook hold a plot, and a line that is longer than any page is wide."""
    plot = {"output_type": "display_data", "data": {"image/png": PNG}, "metadata": {}}
    printed = {"output_type": "stream", "name": "stdout", "text": "x" * 400}
    cell = {
        "cell_type": "code",
        "source": "plot()",
        "metadata": {},
        "execution_count": 1,
        "outputs": [plot, printed],
    }
    folder = Path(record.runs_dir) / record.run_id / safe_name(stage)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": [cell]}), encoding="utf-8")


@pytest.mark.browser
@pytest.mark.parametrize("state", ["green", "red"])
def test_the_report_fits_every_screen(
    state: str,
    browser: Browser,
    flights: Pipeline,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """On a telephone and a wide screen, light and dark: nothing cut, nothing seriously wrong."""
    record: RunRecord = request.getfixturevalue(state)
    plots(record, "gate")
    file = tmp_path / "report.html"
    file.write_text(render_report(record, pipeline=flights), encoding="utf-8")
    page = browser.new_page()
    errors: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(file.as_uri())
    for width, theme in SEEN_IN:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # a text of two
        page.screenshot(path=str(shot(f"report-{state}-{width}-{theme}")), full_page=True)
        assert (layout_problems(page), width, theme) == ([], width, theme)
        assert (violations(page), width, theme) == ([], width, theme)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    for width in (400, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        assert (layout_problems(page), width) == ([], width)
    assert errors == []
    page.close()


@pytest.mark.browser
def test_the_look_at_the_layout_notices_what_is_wrong(browser: Browser) -> None:
    """Otherwise the test above could not fail."""
    page = browser.new_page(viewport={"width": 400, "height": 600})
    wide = "<div style='width: 600px; height: 10px'>wide</div>"
    tall = "<p style='height: 300px'>many lines</p>"
    page.set_content(
        f"<div style='overflow: hidden' class='cut'>{wide}</div><p>{wide}</p>"
        "<svg class='drawn' width='50' height='20'><text x='30' y='15'>too long</text></svg>"
        f"<div style='overflow: auto'><table><tr class='blank'><td>name</td>"
        f"<td style='min-width: 400px'></td><td>{tall}</td></tr></table></div>"
    )
    found = "\n".join(layout_problems(page))
    for said in (
        'px too wide for its box: <div class="cut">',
        "outside the page: <div",
        "the page itself scrolls",
        "cut in its picture: <text",
        'a tall row of blanks: <tr class="blank">',
    ):
        assert said in found
    page.set_content(f"<div style='overflow: auto'>{wide}</div>")
    assert layout_problems(page) == []
    page.close()
