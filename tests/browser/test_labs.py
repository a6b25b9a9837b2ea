"""The workbenches of lessons 2 and 5 in a real JupyterLab, used by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from mlkit.testing import write_notebook
from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.timeout(300)]
SLOW = 60_000


def _open(lab: Lab, checkout: Path, view: str) -> None:
    folder = checkout / "try"
    folder.mkdir(exist_ok=True)
    cell = f"from mlkit.widgets import {view}\n{view}()"
    write_notebook(folder / f"{view}.ipynb", cell)
    lab.open(f"try/{view}.ipynb")
    lab.run_all()


def test_a_cycle_is_named_as_it_closes(lab: Lab, checkout: Path) -> None:
    """And healed by Undo; light and dark are legible."""
    _open(lab, checkout, "DagLab")
    panel = lab.page.locator(".jp-OutputArea .mlkit-panel")
    expect(panel).to_contain_text("Critical path:", timeout=SLOW)
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    panel.get_by_label("edge from").select_option("evaluate")
    panel.get_by_label("to", exact=True).select_option("features")
    panel.get_by_role("button", name="Add edge").focus()
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text("evaluate → features closed the cycle")
    expect(panel.locator("svg")).to_contain_text("in the cycle")
    lab.theme("JupyterLab Dark")
    lab.shoot("dag-dark", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    panel.get_by_role("button", name="Undo").focus()
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text("Critical path:")
    assert lab.errors == []


def test_a_killed_step_is_watched(lab: Lab, checkout: Path) -> None:
    """The chosen point counts when the button is pressed."""
    _open(lab, checkout, "IdempotencyLab")
    panel = lab.page.locator(".jp-OutputArea .mlkit-panel")
    expect(panel).to_contain_text("only a part", timeout=SLOW)
    panel.get_by_label("at the point").select_option(index=0)
    panel.get_by_role("button", name="Run the step").focus()
    lab.page.keyboard.press("Enter")
    expect(panel).to_contain_text("missing: no file", timeout=SLOW)
    lab.shoot("idempotency-light", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    lab.theme("JupyterLab Dark")
    lab.shoot("idempotency-dark", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    assert lab.errors == []
