"""ScheduleLab in a real JupyterLab, used by keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.testing import write_notebook
from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.kernel]


def test_catch_up_and_another_expression_by_keyboard(lab: Lab, checkout: Path) -> None:
    """Space ticks catch-up, Enter takes an expression; the words follow, without an error."""
    write_notebook(
        checkout / "schedules.ipynb", "from mlkit.widgets import ScheduleLab\nScheduleLab()"
    )
    lab.open("schedules.ipynb")
    lab.run_all()
    panel = lab.page.locator(".jp-OutputArea .mlkit-panel").first
    panel.get_by_text("4 of 12 intervals have no run").first.wait_for()
    panel.get_by_label("serve --catch-up").focus()
    lab.page.keyboard.press("Space")
    panel.get_by_text("All 12 intervals have one run each, 4 made later").first.wait_for()
    lab.shoot("schedule-lab-light", ".jp-OutputArea .mlkit-panel")
    field = panel.get_by_label("cron expression")
    field.fill("0 0 * * 8")
    lab.page.keyboard.press("Enter")
    panel.get_by_text("'8' is no day of the week").wait_for()
    field.fill("0 2 * * 0")
    lab.page.keyboard.press("Enter")
    panel.get_by_text("Sunday 06 January 2013 02:00").wait_for()
    lab.theme("JupyterLab Dark")
    lab.shoot("schedule-lab-dark", ".jp-OutputArea .mlkit-panel")
    assert lab.errors == []
