"""Lesson 3's notebook, made by hand in a real JupyterLab from an empty one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab, shot

pytestmark = [
    pytest.mark.browser,
    pytest.mark.kernel,
    pytest.mark.timeout(400),
]
LESSON = "notebooks/lessons/03-stage-notebooks.ipynb"
PLACE = "notebooks/lessons/scratch/03-stage-notebooks"
DECLARED = ('flights = "flights.csv"', "minutes = 15", 'late = "late.txt"')
WORK = (
    "import pandas as pd",
    "delays = pd.read_csv(flights)['arr_delay']",
    "open(late, 'w').write(str((delays > minutes).sum()))",
)
FIRST_CELL = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell >> nth=0"
_KERNEL = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  return panel?.context?.path.endsWith('.ipynb') && panel.context.path.includes('scratch')
    && kernel?.status === 'idle' && kernel.connectionStatus === 'connected';
}"""
_NAMED = "(path) => window.jupyterapp.shell.currentWidget.context.path === path"
_SAVED = "() => !window.jupyterapp.shell.currentWidget.context.model.dirty"


def _choose(lab: Lab, command: str) -> None:
    """Take a command from the palette, by keyboard."""
    keys = lab.page.keyboard
    keys.press("Control+Shift+c")
    expect(lab.page.locator(".lm-CommandPalette-input:visible")).to_be_focused()
    keys.type(command)
    first = lab.page.locator(".lm-CommandPalette-item.lm-mod-active:visible")
    expect(first).to_contain_text(command)
    keys.press("Enter")


def _answer(lab: Lab, text: str) -> None:
    """Type into the dialog that asks for a name or a path."""
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog.locator("input").first).to_be_visible()
    dialog.locator("input").first.focus()
    lab.page.keyboard.press("Control+a")
    lab.page.keyboard.type(text)
    lab.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)


def _new_notebook(lab: Lab) -> None:
    """In the folder that the lesson names, under the name that it asks for."""
    page = lab.page
    _choose(lab, "Open from Path")
    _answer(lab, PLACE)
    expect(page.locator(".jp-DirListing-item", has_text="flights.csv")).to_be_visible()
    _choose(lab, "New Notebook")
    expect(page.locator(".jp-Dialog", has_text="Select Kernel")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_function(_KERNEL)
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_role("menuitem", name="Rename Notebook").click()
    _answer(lab, "count.ipynb")
    page.wait_for_function(_NAMED, arg=f"{PLACE}/count.ipynb")


def _type_cells(lab: Lab) -> None:
    """A cell for what is declared, and one for the work; each is run as it is left."""
    keys = lab.page.keyboard
    lab.page.locator(FIRST_CELL).click()
    keys.press("Escape")
    for lines in (DECLARED, WORK):
        keys.press("Enter")
        for number, line in enumerate(lines):
            if number:
                keys.press("Enter")
            keys.type(line)
        keys.press("Shift+Enter")
        keys.press("Escape")  # a cell that is made at the end is in edit mode


def _tag_first_cell(lab: Lab) -> None:
    """By the two gears at the upper right, as the lesson says."""
    page = lab.page
    page.locator(FIRST_CELL).click()
    page.get_by_role("tab", name="Property Inspector").click()
    tools = page.locator("#notebook-tools")
    heading, tag = tools.get_by_text("Common Tools"), tools.get_by_placeholder("Add Tag")
    expect(heading).to_be_visible()
    if not tag.is_visible():  # folded, until it was opened once
        heading.click()
    tag.click()
    page.keyboard.type("parameters")
    page.keyboard.press("Enter")
    expect(tools.locator(".jp-CellTags-Applied")).to_contain_text("parameters")


def test_a_notebook_made_by_hand_becomes_a_stage(lab: Lab, checkout: Path) -> None:
    """Typed, tagged, run and saved; the lesson's check reads it, and runs it with two values."""
    page, file = lab.page, checkout / PLACE / "count.ipynb"
    lab.open(LESSON)
    lab.run_until("by-hand-check", 240)
    _new_notebook(lab)
    _type_cells(lab)
    _tag_first_cell(lab)
    page.screenshot(path=str(shot("own-notebook")))
    page.keyboard.press("Control+s")
    page.wait_for_function(_SAVED)
    first = json.loads(file.read_text(encoding="utf-8"))["cells"][0]
    assert "".join(first["source"]).splitlines() == list(DECLARED)
    assert first["metadata"]["tags"] == ["parameters"]
    assert (file.parent / "late.txt").read_text(encoding="utf-8").isdigit()
    lab.open(LESSON)
    lab.answer(
        "yours-notebook",
        'saved = "count.ipynb"\n\ncheck_yourself(saved, counts, seen=as_a_stage)',
    )
    lab.wait_until_says("yours-notebook", "✓ right")
    lab.shoot("own-notebook-checked")
    page.get_by_role("tab", name="Property Inspector").click()
    assert lab.errors == []
