"""The flights pipeline in JupyterLab's panel: run, cancelled, resumed, looked into."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import SIDE, Lab, shot
from tests.notebooks.conftest import copy_flights

pytestmark = [
    pytest.mark.browser,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
FEWER = (
    (r"^name: flights$", "name: few flights"),
    (r"model: \[.*\]", "model: [logistic_regression, xgboost]"),
    (r"n_candidates: \d+", "n_candidates: 3"),
)
"""What makes the same fourteen notebooks quick."""
_TRAINS = f"() => document.querySelector('{SIDE} [data-pick=\"train\"].state-running') !== null"
RUN_S = 240_000


@pytest.fixture
def panel(lab: Lab, checkout: Path) -> Locator:
    """The panel, with a quick copy of the pipeline chosen."""
    folder = copy_flights(checkout / "few flights")
    file = folder / "pipeline.yaml"
    text = file.read_text(encoding="utf-8")
    for pattern, fewer in FEWER:
        text, count = re.subn(pattern, fewer, text, flags=re.MULTILINE)
        assert count == 1, pattern
    file.write_text(text, encoding="utf-8")
    lab.enter("flights")
    return lab.pipelines("few flights/pipeline.yaml", "finish")


def _is_in_view(panel: Locator, stage: str) -> bool:
    """Whether a stage's box is within its frame, from left to right."""
    frame = panel.locator(".picture .mlkit-scroll").bounding_box()
    box = panel.locator(f'svg [data-pick="{stage}"]').bounding_box()
    assert frame is not None
    assert box is not None
    return frame["x"] <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"]


def test_flights_are_run_cancelled_and_resumed(lab: Lab, panel: Locator) -> None:
    """With a parameter of the form; each stage's state is seen, a stage and the report are read."""
    page = lab.page
    assert _is_in_view(panel, "collect"), "a wide picture begins at its first stage"
    panel.get_by_text("Parameters", exact=True).first.click()
    panel.get_by_label("rows: int").fill("1500")
    panel.get_by_role("button", name="▶ Run", exact=True).press("Enter")
    page.wait_for_function(_TRAINS, timeout=RUN_S)  # which may be over in less than a second
    page.screenshot(path=str(shot("flights-running")))
    panel.get_by_role("button", name="■ Cancel").press("Enter")
    expect(panel.locator(".status")).to_contain_text("cancelled")
    expect(panel.locator('[data-pick="split"].state-succeeded')).to_be_attached()
    panel.get_by_role("button", name="↻ Resume").press("Enter")
    expect(panel.locator('[data-pick="gate"].state-succeeded')).to_be_attached(timeout=RUN_S)
    expect(panel.locator(".status")).to_contain_text("✓ succeeded", timeout=RUN_S)
    expect(panel.locator('[data-pick="split"].state-succeeded')).to_be_attached()
    panel.locator('svg [data-pick="evaluate"]').press("Enter")
    for said in ("Why it ran:", "executed notebook", "roc_auc", "calibration.png"):
        expect(panel.locator(".detail")).to_contain_text(said)
    panel.get_by_role("button", name="whole").click()
    assert all(_is_in_view(panel, stage) for stage in ("collect", "train", "tune", "finish"))
    for theme in ("Dark", "Light"):
        lab.theme(f"JupyterLab {theme}")
        panel.get_by_role("button", name="Report", exact=True).press("Enter")
        report = page.frame_locator("iframe.mlkit-page:visible")
        expect(report.get_by_text("ROC AUC on the test set").first).to_be_visible()
        paper = report.locator("body").evaluate("(node) => getComputedStyle(node).backgroundColor")
        assert (paper == "rgb(16, 19, 23)") == (theme == "Dark"), paper
        assert lab.violations(SIDE) == []
        page.screenshot(path=str(shot(f"flights-report-{theme}")))
        page.evaluate("() => [...window.jupyterapp.shell.widgets('main')].at(-1).dispose()")
    assert lab.errors == []
