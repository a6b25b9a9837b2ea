"""The report in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.values import safe_name
from mlkit.reports.html import render_report

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
