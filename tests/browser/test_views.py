"""The other views in a real JupyterLab."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from mlkit.grading.exercise.source import load_exercise
from mlkit.testing import write_notebook
from mlkit.widgets.labs.cache_world import write_world
from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.timeout(300)]
SLOW = 60_000


def write(path: Path, *cells: str) -> None:
    """Write a notebook whose cells are called cell-0, cell-1, …"""
    path.parent.mkdir(exist_ok=True)
    write_notebook(path, *cells)


def test_an_edit_shows_what_would_run(lab: Lab, checkout: Path) -> None:
    """Ticked by keyboard; the plan is the real one; light and dark are legible."""
    write(
        checkout / "try" / "cache.ipynb",
        "from mlkit.widgets import CacheExplainer\nCacheExplainer()",
    )
    lab.open("try/cache.ipynb")
    lab.run_all()
    panel = lab.page.locator(".jp-OutputArea .mlkit-panel")
    expect(panel).to_contain_text("4 succeeded", timeout=SLOW)
    panel.get_by_label("Parameter: window", exact=False).focus()
    lab.page.keyboard.press("Space")
    expect(panel).to_contain_text("parameter window: 3 → 5")
    expect(panel.locator("svg")).to_contain_text("▶ would run")
    lab.shoot("cache-light", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    panel.get_by_role("button", name="Run now", exact=False).click()
    expect(panel).to_contain_text("2 succeeded, 2 cached", timeout=SLOW)
    lab.theme("JupyterLab Dark")
    lab.shoot("cache-dark", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    assert lab.errors == []


def test_runs_are_filtered_and_compared(lab: Lab, checkout: Path) -> None:
    """Two runs of a small pipeline, one picked in the list, held against the other."""
    folder = checkout / "try" / "small"
    folder.mkdir(parents=True, exist_ok=True)
    write_world(folder)
    write(
        checkout / "try" / "runs.ipynb",
        "import mlkit\nfrom mlkit.widgets import RunBrowser",
        "mlkit.run('small'); mlkit.run('small', parameters={'window': 5});",
        "RunBrowser('small')",
    )
    lab.open("try/runs.ipynb")
    lab.run_all()
    panel = lab.page.locator(".jp-OutputArea .mlkit-panel")
    expect(panel).to_contain_text("2 of 2 runs", timeout=SLOW)
    panel.get_by_label("compare it with").select_option(index=1)
    expect(panel).to_contain_text(re.compile("artifacts? (is|are) equal in both runs"))
    panel.get_by_label("filter").fill("window=3")
    panel.get_by_label("filter").press("Enter")
    expect(panel).to_contain_text("1 of 2 runs")
    lab.shoot("runs-light", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    lab.theme("JupyterLab Dark")
    lab.shoot("runs-dark", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    assert lab.errors == []


def test_a_save_in_the_editor_runs_again(lab: Lab, checkout: Path) -> None:
    """Started by a cell, stopped by a button; the reason and the states are legible."""
    folder = checkout / "try" / "watched"
    folder.mkdir(parents=True, exist_ok=True)
    write_world(folder)
    write(checkout / "try" / "watch.ipynb", "import mlkit\nmlkit.watch('watched')")
    lab.open("try/watch.ipynb")
    lab.run_all()
    panel = lab.page.locator(".jp-OutputArea .mlkit-panel")
    expect(panel).to_contain_text("Waiting for a change of", timeout=SLOW)
    notebook = sorted(folder.glob("*.ipynb"))[-1]
    document = json.loads(notebook.read_text())
    document["cells"][-1]["source"] += "\n# edited"
    notebook.write_text(json.dumps(document))
    expect(panel).to_contain_text("Why the last round ran", timeout=SLOW)
    expect(panel).to_contain_text("code changed: cell")
    expect(panel).to_contain_text("≡ cached")
    lab.shoot("watch-light", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    lab.theme("JupyterLab Dark")
    lab.shoot("watch-dark", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    panel.get_by_role("button", name="Stop").click()
    expect(panel).to_contain_text("Nothing is watched", timeout=SLOW)
    assert lab.errors == []


def test_sliders_move_the_retries(lab: Lab, checkout: Path) -> None:
    """An arrow key moves a slider, and the simulation follows."""
    write(checkout / "try" / "retry.ipynb", "from mlkit.widgets import RetryLab", "RetryLab()")
    lab.open("try/retry.ipynb")
    lab.run_all()
    panel = lab.page.locator(".jp-OutputArea .mlkit-panel")
    before = panel.locator("svg desc").first.text_content()
    slider = panel.get_by_role("slider", name="clients")
    value = slider.input_value()
    slider.focus()
    for _ in range(5):
        lab.page.keyboard.press("ArrowRight")
    assert int(slider.input_value()) == int(value) + 5
    expect(panel.locator("svg desc").first).not_to_have_text(before or "")
    lab.shoot("retry", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    assert lab.errors == []


def test_a_field_says_what_is_wrong_and_cancel_stops(lab: Lab, checkout: Path) -> None:
    """Nothing runs with a wrong value; meanwhile and afterwards the notebook stays usable."""
    folder = checkout / "try" / "slow"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.yaml").write_text(
        "name: slow\nparameters: {months: [1], seconds: 60}\n"
        "stages: {wait: {notebook: wait.ipynb, outputs: {done: done.txt}}}\n"
    )
    declared = 'months: list[int] = [1]\nseconds: int = 1\ndone: str = "scratch/done.txt"'
    write_notebook(folder / "wait.ipynb", "import time\ntime.sleep(seconds)", parameters=declared)
    write(
        checkout / "try" / "slow.ipynb",
        "from mlkit.widgets import PipelineView\nview = PipelineView('slow')\nview",
        "print('still', 'usable')",
    )
    lab.open("try/slow.ipynb")
    lab.run_until("cell-0")
    panel = lab.page.locator(".jp-OutputArea .mlkit-panel")
    months = panel.get_by_label("months: list[int]")
    months.fill("[one]")
    months.press("Enter")
    expect(panel).to_contain_text("months: 'one' is not an int")
    panel.get_by_role("button", name="▶ Run").click()
    expect(panel).to_contain_text("nothing has run")
    lab.shoot("field-error", ".jp-OutputArea .mlkit-panel")
    assert lab.violations(".jp-OutputArea .mlkit-panel") == []
    months.fill("[2]")
    months.press("Enter")
    panel.get_by_role("button", name="▶ Run").click()
    expect(panel.locator('[data-pick="wait"]')).to_contain_text("running", timeout=SLOW)
    lab.run_all()
    expect(lab.page.locator(".jp-OutputArea-output", has_text="still usable")).to_be_visible()
    panel = lab.page.locator(".jp-OutputArea .mlkit-panel").first
    panel.get_by_role("button", name="▶ Run").click()
    panel.get_by_role("button", name="■ Cancel").click()
    expect(panel).to_contain_text("■ cancelled after", timeout=SLOW)
    assert lab.errors == []


def test_an_exercise_is_solved_by_typing(lab: Lab, checkout: Path) -> None:
    """The check says what is missing first, and turns green when the answers stand there."""
    solution = load_exercise(checkout / "solutions" / "01-dags.ipynb").solution
    lab.open("exercises/01-dags.ipynb")
    lab.run_until("feedback-topological-order")
    lab.show("feedback-topological-order")
    answered = lab.page.locator(".jp-Cell", has=lab.page.locator("text=check-topological-order"))
    expect(answered.last).to_contain_text("not attempted")
    for name, content in solution.items():
        lab.type_into(name, content)
    lab.run_all()
    lab.show("feedback-topological-order")
    lab.shoot("exercise-solved")
    expect(answered.last).to_contain_text("✓ passed")
    green = answered.last.locator("div[style*='border-left']")
    expect(green).to_have_css("border-left-color", "rgb(11, 122, 75)")
    assert lab.errors == []


def test_a_saved_notebook_shows_its_views_without_a_kernel(lab: Lab, checkout: Path) -> None:
    """Trusted, the live form comes back as it was; from elsewhere, the picture stands there."""
    write(
        checkout / "try" / "saved.ipynb",
        "from mlkit.widgets import CacheExplainer\nCacheExplainer()",
    )
    lab.open("try/saved.ipynb")
    lab.run_all()
    panel = lab.page.locator(".jp-OutputArea .mlkit-panel")
    expect(panel).to_contain_text("4 succeeded", timeout=SLOW)
    lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    lab.close_all()
    lab.open("try/saved.ipynb")
    expect(lab.page.locator(".jp-OutputArea .mlkit-panel svg")).to_contain_text("would be reused")
    lab.shoot("saved-trusted")
    command = [sys.executable, "-m", "jupyter", "execute", "--output=foreign.ipynb", "saved.ipynb"]
    subprocess.run(command, cwd=checkout / "try", check=True, timeout=200, capture_output=True)
    lab.open("try/foreign.ipynb")
    picture = lab.page.locator(".jp-OutputArea-output img")
    expect(picture).to_be_visible()
    lab.shoot("saved-untrusted")
    assert "would be reused" in (picture.get_attribute("alt") or "")
    assert lab.errors == []
