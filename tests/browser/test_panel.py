"""The panel in JupyterLab's left bar: it follows a pipeline, its plan and its runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import SIDE, Lab, shot
from tests.browser.layout import SEEN_IN, layout_problems
from tests.browser.test_live import RESOLVE
from tests.panel.words import PIPELINE, make_words, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.timeout(300)]
_RUNS_ON = """(path) => {
  const panel = window.jupyterapp.shell.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  return panel?.context?.path.endsWith(path) && panel.content.widgets.length > 0
    && kernel?.status === 'idle' && kernel.connectionStatus === 'connected';
}"""
_LEFT = """(open) => { const shell = window.jupyterapp.shell;
  open ? shell.expandLeft() : shell.collapseLeft(); }"""
_REPLACE = """([old, fresh]) => {
  const { sharedModel } = window.jupyterapp.shell.currentWidget.content.model;
  sharedModel.setSource(sharedModel.getSource().replace(old, fresh));
}"""
_IN_ACTIVE_CELL = """([old, fresh]) => {
  const { sharedModel } = window.jupyterapp.shell.currentWidget.content.activeCell.model;
  sharedModel.setSource(sharedModel.getSource().replace(old, fresh));
}"""
_ENDED = """() => {
  const { session } = window.jupyterapp.shell.currentWidget.sessionContext;
  return !session?.kernel || session.kernel.status === 'dead';
}"""
_SHARED_TIPS = """() => {
  const names = [...document.querySelectorAll('.mlkit-pipelines marker')].map((each) => each.id);
  return names.filter((name, place) => names.indexOf(name) !== place);
}"""
_ASK = """async (code) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const future = kernel.requestExecute({ code, store_history: false });
  let said = '';
  future.onIOPub = (message) => { said += message.content.text ?? ''; };
  await future.done;
  return said;
}"""


@pytest.fixture(scope="module")
def words(checkout: Path) -> Path:
    """A small pipeline in the workspace, which has run once."""
    folder = make_words(checkout / "words")
    subprocess.run([sys.executable, "-m", "mlkit", "run", str(folder)], check=True, timeout=120)
    return folder


@pytest.fixture(autouse=True)
def _as_it_was_written(words: Path) -> None:
    """No test finds what another one has changed."""
    make_words(words)


@pytest.fixture
def own_runtime(address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a terminal in this JupyterLab: with its folder for kernels."""
    homes = {path.resolve() for path in tmp_path_factory.getbasetemp().glob("home*/lab.log")}
    (log,) = homes  # pytest links to the newest, too
    return {**os.environ, "JUPYTER_RUNTIME_DIR": str(log.parent / "runtime")}


@pytest.fixture(scope="module")
def panel(window: Lab, words: Path) -> Locator:
    """The panel, with that pipeline chosen."""
    window.enter("panel")
    return window.pipelines("words/pipeline.yaml", "count")


def _saved(path: Path, old: str, new: str) -> None:
    """Change a notebook's text as its editor does."""
    path.write_text(path.read_text().replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1]))


def test_a_run_is_started_followed_and_looked_into(lab: Lab, panel: Locator, words: Path) -> None:
    """With a parameter of the form; then a stage by keyboard, and what would run after a save."""
    page = lab.page
    panel.get_by_text("Parameters", exact=True).first.click()
    panel.get_by_label("many: int").fill("5")
    panel.get_by_role("button", name="▶ Run", exact=True).click()
    expect(panel.locator(".status")).to_contain_text("✓ succeeded after")
    expect(panel.locator('[data-pick="count"].state-succeeded')).to_be_visible()
    expect(panel.locator(".plan")).to_contain_text("≡ reuse")
    panel.locator('svg [data-pick="count"]').focus()
    page.keyboard.press("Enter")
    for said in ("Why it ran:", "executed notebook", "metrics.json"):
        expect(panel.locator(".detail")).to_contain_text(said)
    panel.get_by_text("Trace: what its result depends on").click()
    expect(panel.locator(".detail details[open] pre")).to_contain_text("depends on its code")
    _saved(words / "count.ipynb", "print(len(found))", "print(len(found), 1)")
    expect(panel.locator(".plan tr", has_text="count")).to_contain_text("▶ run", timeout=5000)
    assert lab.violations(SIDE) == []
    lab.theme("JupyterLab Dark")
    assert lab.violations(SIDE) == []
    page.screenshot(path=str(shot("panel-dark")))
    lab.theme("JupyterLab Light")
    panel.get_by_role("button", name="Open source").click()
    page.wait_for_function(_RUNS_ON, arg="words/count.ipynb")
    assert lab.errors == []


def test_a_terminals_run_is_live_and_two_are_compared(
    lab: Lab, panel: Locator, words: Path
) -> None:
    """The picture says what runs; the comparison is a page of its own."""
    command = [sys.executable, "-m", "mlkit", "run", str(words), "-p", "slow=6", "-p", "many=7"]
    terminal = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    expect(panel.locator('[data-pick="write"].state-running')).to_be_visible()
    going = panel.locator(".mlkit-going")
    expect(going).to_contain_text(re.compile(r"write cell 3 of 4\s*import json\s*wait \d+ of 20"))
    assert lab.violations(SIDE) == []
    lab.page.screenshot(path=str(shot("panel-live")))
    assert terminal.wait(60) == 0
    expect(panel.locator(".status")).to_contain_text("✓ succeeded")
    for place in (0, 1):
        panel.locator("[data-compare]").nth(place).check()
    panel.get_by_role("button", name="Compare").click()
    compared = lab.page.frame_locator("iframe.mlkit-page")
    expect(compared.get_by_role("heading", name="2 runs compared")).to_be_visible()
    lab.page.screenshot(path=str(shot("panel-compared")))
    assert lab.errors == []


def test_a_terminals_run_is_cancelled_here(lab: Lab, panel: Locator, words: Path) -> None:
    """By keyboard, and in order: what has finished is kept."""
    command = [sys.executable, "-m", "mlkit", "run", str(words), "-p", "slow=120"]
    terminal = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    expect(panel.locator('[data-pick="write"].state-running')).to_be_visible()
    panel.get_by_role("button", name="■ Cancel").press("Enter")
    expect(panel.locator(".status")).to_contain_text("cancelled")
    assert terminal.wait(60) == 130
    expect(panel.get_by_role("button", name="■ Cancel")).to_be_disabled()
    assert lab.errors == []


def test_what_is_wrong_is_marked_in_the_editor_until_it_is_put_right(
    lab: Lab, panel: Locator, words: Path
) -> None:
    """Its line is underlined, the words stand below; in a tab the panel is as wide as the page."""
    page, file = lab.page, words / "pipeline.yaml"
    file.write_text(PIPELINE.replace("write.words", "write.wrds"))
    problem = panel.get_by_role("alert")
    expect(problem).to_contain_text("wrds")
    problem.get_by_role("button", name="Open pipeline.yaml, line 12").click()
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Ln 12")
    marked, words_below = page.locator(".mlkit-wrong"), page.locator(".mlkit-wrong-words")
    expect(marked).to_have_text("inputs: {words: write.wrds}")
    expect(page.locator(".mlkit-wrong-gutter")).to_contain_text("✗")
    expect(words_below).to_contain_text("Did you mean 'words'?")
    for theme in ("Dark", "Light"):
        lab.theme(f"JupyterLab {theme}")
        page.screenshot(path=str(shot(f"panel-marked-{theme}")))
        assert lab.violations(".mlkit-wrong-words") == []
        assert lab.violations(".mlkit-wrong-gutter") == []
    page.keyboard.press("Control+Home")
    page.keyboard.press("F8")
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Ln 12")
    page.evaluate(_REPLACE, ["wrds", "words"])
    page.keyboard.press("Control+s")
    for mark in (marked, words_below):
        expect(mark).to_have_count(0)
    assert file.read_text() == PIPELINE
    expect(problem).to_be_empty()
    _two_are_marked_at_once(lab, panel, file)
    page.evaluate("window.jupyterapp.commands.execute('mlkit:open')")
    tab = page.locator("#mlkit-pipelines-1")
    expect(tab.locator("[data-compare]").first).to_be_visible()
    assert page.evaluate(_SHARED_TIPS) == []
    tab.locator('svg [data-pick="count"]').click()
    expect(tab.locator(".detail")).to_contain_text(re.compile("Why it (ran|did not run|failed):"))
    for width, theme in SEEN_IN:
        lab.theme(f"JupyterLab {theme.title()}")
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(_LEFT, width >= 1000)
        page.evaluate("() => new Promise((done) => setTimeout(done, 300))")
        page.screenshot(path=str(shot(f"panel-tab-{width}-{theme}")))
        assert lab.violations("#mlkit-pipelines-1") == []
        assert layout_problems(page, "#mlkit-pipelines-1 .mlkit-panel") == []
    page.evaluate(_LEFT, True)
    assert lab.errors == []


def _two_are_marked_at_once(lab: Lab, panel: Locator, file: Path) -> None:
    """Each line has its mark and its words; F8 goes from one to the next, and round."""
    page, status = lab.page, lab.page.locator("#jp-main-statusbar")
    marked, words_below = page.locator(".mlkit-wrong"), page.locator(".mlkit-wrong-words")
    page.evaluate(_REPLACE, ["write.words", "write.wrds"])
    page.evaluate(_REPLACE, ["words.json}\n", "words.json}\n    after: [cuont]\n"])
    page.keyboard.press("Control+s")
    expect(marked).to_have_count(2)
    expect(words_below).to_have_text([re.compile("'cuont'"), re.compile("'wrds'")])
    expect(panel.get_by_role("alert").locator(".mlkit-problem")).to_have_count(2)
    page.locator(".jp-FileEditor .cm-content").focus()
    page.keyboard.press("Control+Home")
    for line in (9, 13, 9):
        page.keyboard.press("F8")
        expect(status).to_contain_text(f"Ln {line}")
    assert lab.violations(".mlkit-wrong-all") == []
    page.screenshot(path=str(shot("panel-two-marked")))
    page.evaluate(_REPLACE, ["wrds", "words"])
    page.evaluate(_REPLACE, ["    after: [cuont]\n", ""])
    page.keyboard.press("Control+s")
    expect(marked).to_have_count(0)
    assert file.read_text() == PIPELINE


def test_a_stage_is_worked_on_with_real_inputs_and_gone_on_with_where_it_failed(
    lab: Lab, panel: Locator, words: Path, own_runtime: dict[str, str]
) -> None:
    """In this JupyterLab: what is injected is in no file, and a kept kernel has its variables."""
    page, source = lab.page, words / "count.ipynb"
    before = source.read_text()
    panel.locator('svg [data-pick="count"]').click()
    panel.get_by_role("button", name="Real inputs").click()
    expect(panel.locator(".note")).to_contain_text("The kernel has what count receives")
    bar = page.locator(".mlkit-bar")
    expect(bar).to_contain_text("stage count of words")
    expect(bar).to_contain_text("words ← write.words")
    assert lab.violations(".mlkit-bar") == []
    page.wait_for_function(_RUNS_ON, arg="words/count.ipynb")
    lab.run_all()
    assert ".staging" not in page.evaluate(_ASK, "print(words)")
    assert page.evaluate(_ASK, "print(metrics)").strip().startswith("/")
    many = panel.locator('[name="many"]').input_value()
    assert page.evaluate(_ASK, "print(len(found))").strip() == many
    assert source.read_text() == before
    page.screenshot(path=str(shot("panel-real-inputs")))
    lab.close_all()
    _saved(source, "print(len(found)", "marker = 41\nprint(1 / 0, len(found)")
    panel.get_by_label("keep failed kernels").check()
    panel.get_by_role("button", name="▶ Run", exact=True).click()
    expect(panel.locator(".status")).to_contain_text("ZeroDivisionError")
    began = time.monotonic()
    panel.get_by_role("button", name="Go on where it failed").click()
    page.wait_for_function(_RUNS_ON, arg="count-live-1/count.ipynb")
    assert time.monotonic() - began < 20, "on a quiet machine it is under one second"
    expect(page.locator(".jp-Cell.jp-mod-active")).to_contain_text("print(1 / 0")
    assert page.evaluate(_ASK, "print(marker + 1)").strip() == "42"
    expect(page.locator(".mlkit-bar:visible")).to_contain_text("Where the stage failed")
    assert lab.violations(".mlkit-bar") == []
    assert page.evaluate(RESOLVE) == 200
    page.screenshot(path=str(shot("panel-kept")))
    page.evaluate(_IN_ACTIVE_CELL, ["1 / 0", "1 / 1"])  # and not saved by hand
    take_over = panel.get_by_role("button", name="Take over into the source")
    take_over.click()
    expect(panel.locator(".note")).to_contain_text("count.ipynb has what you corrected")
    assert "print(1 / 1, len(found))" in source.read_text()
    source.write_text(source.read_text().replace("marker = 41", "marker = 40"))
    take_over.click()
    expect(panel.get_by_role("alert")).to_contain_text("the notebook has changed on disk since")
    subprocess.run([sys.executable, "-m", "mlkit", "kernels", "stop"], env=own_runtime, check=True)
    page.wait_for_function(_ENDED)
    panel.get_by_role("button", name="Go on where it failed").click()
    expect(panel.get_by_role("alert")).to_contain_text("no kernel of stage 'count'")
    page.screenshot(path=str(shot("panel-kept-ended")))
    assert lab.errors == []


def test_three_stages_are_drawn_and_taken_back(lab: Lab, panel: Locator, words: Path) -> None:
    """The file gets the lines concerned; a line from box to box asks what is read."""
    page, file = lab.page, words / "pipeline.yaml"
    before = file.read_text()
    drawn = (("clean", "write.words"), ("show", "clean.cleaned"), ("tell", "show.shown"))
    for name, reads in drawn:
        panel.get_by_role("button", name="Add a stage …").click()
        panel.get_by_label("its name").fill(name)
        panel.get_by_label("reads", exact=True).fill(reads)
        panel.get_by_label("writes", exact=True).fill(
            {"clean": "cleaned", "show": "shown", "tell": "told"}[name] + ".json"
        )
        page.keyboard.press("Enter")
        expect(panel.locator(f'svg [data-pick="{name}"]')).to_be_visible()
    assert file.read_text().startswith(before)
    start = panel.locator('svg [data-pick="write"]').bounding_box()
    end = panel.locator('svg [data-pick="show"]').bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 20, start["y"] + 10)
    page.mouse.down()
    page.mouse.move(end["x"] + 20, end["y"] + 10, steps=8)
    page.screenshot(path=str(shot("panel-drawing")))
    page.mouse.up()
    form = panel.get_by_role("form", name="What show reads")
    expect(form.locator("select").first).to_have_value("write.words")
    assert lab.violations(SIDE) == []
    form.get_by_role("button", name="Write it").click()
    expect(form).to_have_count(0)
    assert "inputs: {cleaned: write.words}" in file.read_text()
    for _ in range(4):
        panel.get_by_role("button", name="Undo").click()
        page.wait_for_timeout(300)
    expect(panel.locator('svg [data-pick="clean"]')).to_have_count(0)
    assert file.read_text() == before
    assert lab.errors == []


def test_a_notebook_is_converted_and_a_first_pipeline_made_from_cards(
    lab: Lab, panel: Locator, checkout: Path
) -> None:
    """The launcher's, by keyboard; what comes of it is chosen in the panel, and runs."""
    page = lab.page
    write_notebook(
        checkout / "study.ipynb",
        ("prose-load", "## Load"),
        ("load", "rows = [number for number in range(6)]"),
        ("prose-use", "## Use"),
        ("use", "total = sum(rows)\nprint(total)"),
    )
    lab.open("study.ipynb")
    for card, folder, said in (
        ("Convert this notebook", "study-pipeline", "equal the original's"),
        ("New pipeline", "first", "first/pipeline.yaml is there"),
    ):
        page.evaluate("() => { window.jupyterapp.commands.execute('launcher:create'); }")
        page.locator(".jp-LauncherCard:visible", has_text=card).press("Enter")
        dialog = page.locator(".jp-Dialog")
        dialog.locator("input").fill(folder)
        page.keyboard.press("Enter")
        expect(panel.locator(".note")).to_contain_text(said)
        expect(panel.get_by_label("pipeline", exact=True)).to_have_value(f"{folder}/pipeline.yaml")
        fields = panel.get_by_text("Parameters", exact=True)
        expect(fields).to_be_visible(visible=folder == "first")
        page.screenshot(path=str(shot(f"panel-made-{folder}")))
    assert (checkout / "study-pipeline" / "pipeline.yaml").is_file()
    panel.get_by_role("button", name="▶ Run", exact=True).click()
    expect(panel.locator('[data-pick="fit"].state-succeeded')).to_be_visible()
    assert lab.violations(SIDE) == []
    panel.get_by_label("pipeline", exact=True).select_option("words/pipeline.yaml")
    assert lab.errors == []
