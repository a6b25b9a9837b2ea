"""The first page, as a learner uses it: press Run, watch, look into a stage."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.timeout(600)]
RUN_S = 400
PANEL = ".mlkit-panel:has(.jupyter-button)"
LESSONS = ".mlkit-panel:has([aria-label^='Lesson 2 '])"


def test_a_run_from_the_button_is_watched_and_looked_into(lab: Lab) -> None:
    """The form's value reaches the run; the DAG is live; a stage opens beside the notebook."""
    page = lab.page
    lab.open("notebooks/00-start-here.ipynb")
    lab.run_until("run")
    lab.show("run")
    panel = page.locator(PANEL).first
    rows = panel.get_by_label("rows: int")
    rows.fill("2000")
    rows.press("Tab")
    panel.get_by_role("button", name="Run", exact=False).first.click()
    expect(panel.locator('[data-pick="collect"]')).to_contain_text("running")
    lab.shoot("start-running")
    expect(panel).to_contain_text("✓ succeeded after", timeout=RUN_S * 1000)
    expect(panel.locator('[data-pick="finish"]')).to_contain_text("✓ succeeded")
    panel.locator('[data-pick="evaluate"]').focus()
    page.keyboard.press("Enter")
    for words in ("Why it ran:", "executed notebook", "metrics.json"):
        expect(panel).to_contain_text(words)
    panel.get_by_text("Look at roc_plot").click()
    lab.shoot("start-done", PANEL)
    assert lab.violations(PANEL) == []
    lab.theme("JupyterLab Dark")
    lab.shoot("start-dark", PANEL)
    assert lab.violations(PANEL) == []
    panel.get_by_text("executed notebook").click()
    expect(page.get_by_role("heading", name="Evaluate").first).to_be_visible()
    assert lab.errors == []


def test_the_map_leads_to_a_lesson(lab: Lab) -> None:
    """Each lesson is a link, and JupyterLab opens it beside the page."""
    lab.open("notebooks/00-start-here.ipynb")
    lab.run_until("imports")
    lab.page.evaluate(
        """() => { const panel = window.jupyterapp.shell.currentWidget;
             panel.content.activeCellIndex =
               panel.content.widgets.findIndex((cell) => cell.model.id === 'lessons');
             window.jupyterapp.commands.execute('notebook:run-cell'); }"""
    )
    lab.show("lessons")
    panel = lab.page.locator(LESSONS)
    expect(panel.get_by_label("Lesson 2 DAGs", exact=False)).to_be_visible()
    lab.shoot("lesson-map", LESSONS)
    assert lab.violations(LESSONS) == []
    panel.get_by_label("Lesson 2 DAGs", exact=False).click()
    expect(lab.page.get_by_role("heading", name="Lesson 2", exact=False).first).to_be_visible()
    assert lab.errors == []
