"""What a stranger does with the panel: nothing there yet, two tabs, long names, other hands."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.lab import SIDE, Lab, jupyterlab, shot
from tests.browser.layout import layout_problems
from tests.panel.words import PIPELINE, make_words, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.timeout(300)]
HERE = "odd words/pipeline.yaml"
LONG = f"""\
name: "it's <b>\\"odd\\"</b> صفقة"
description: "وصف: <script>alert(1)</script> & more"
stages:
  a_stage_whose_name_goes_on_and_on_and_never_ends_as_somebody_likes_words:
    notebook: each.ipynb
    outputs: {{out: o.txt}}
  last:
    notebook: each.ipynb
    outputs: {{out: o.txt}}
    foreach:
      title: ["x 'y'", "قيمة", "<b>", "{"w" * 90}", "{"M" * 20}"]
    after: [a_stage_whose_name_goes_on_and_on_and_never_ends_as_somebody_likes_words]
"""
_PICKED_IS_WHOLE = """(side) => {
  const box = document.querySelector(`${side} svg [aria-pressed="true"]`).getBoundingClientRect();
  const frame = document.querySelector(`${side} .picture .mlkit-scroll`).getBoundingClientRect();
  return frame.left <= box.left && box.right <= frame.right
    && frame.top <= box.top && box.bottom <= frame.bottom;
}"""
_OUT_OF_ITS_BOX = """(side) => [...document.querySelectorAll(`${side} svg [data-pick]`)]
  .flatMap((stage) => [...stage.querySelectorAll('text')].filter((text) => {
    const right = Math.max(...[...stage.querySelectorAll('rect')].map(
      (rect) => rect.getBoundingClientRect().right));
    return text.getBoundingClientRect().right > right;
  })).map((text) => text.textContent)"""
_CURRENT = "() => window.jupyterapp.shell.currentWidget?.title.label"
_IS_SEEN = """(node) => {
  const { top, bottom } = node.getBoundingClientRect();
  const frame = node.closest('.mlkit-pipelines').getBoundingClientRect();
  return bottom > top && top >= frame.top && bottom <= frame.bottom;
}"""


@pytest.fixture
def words(checkout: Path) -> Path:
    """A small pipeline, as it was written; another one is listed before it."""
    make_words(checkout / "a first one")
    return make_words(checkout / "odd words")


@pytest.fixture
def panel(lab: Lab, words: Path) -> Locator:
    """The panel, with that pipeline chosen."""
    assert words.is_dir()
    lab.enter("oddities")
    return lab.pipelines(HERE, "count")


def test_where_there_is_no_pipeline_one_thing_can_be_done(browser: Browser, tmp_path: Path) -> None:
    """A button makes one, and then everything else is there."""
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    with jupyterlab(root, home) as address:
        context = browser.new_context(viewport={"width": 1200, "height": 900})
        context.set_default_timeout(60_000)
        lab = Lab(context.new_page(), address)
        lab.enter("nothing")
        lab.page.evaluate("() => window.jupyterapp.restored")
        lab.command("mlkit:show")
        panel = lab.page.locator(SIDE)
        new = panel.get_by_role("button", name="New pipeline …")
        expect(new).to_be_visible()
        assert panel.get_by_role("button").count() == 1
        assert lab.violations(SIDE) == []
        lab.page.screenshot(path=str(shot("panel-empty")))
        new.press("Enter")
        lab.page.locator(".jp-Dialog input").fill("my first")
        lab.page.keyboard.press("Enter")
        expect(panel.locator(".note")).to_contain_text("is there")
        expect(new).to_be_hidden()
        assert "name: my-first" in (root / "my first" / "pipeline.yaml").read_text()
        run = panel.get_by_role("button", name="▶ Run", exact=True)
        expect(run).to_be_enabled()
        run.press("Enter")
        expect(panel.locator(".note")).to_be_empty()
        expect(panel.locator('[data-pick="fit"].state-succeeded')).to_be_visible()
        assert lab.errors == []
        context.close()


def test_each_tab_begins_with_the_pipeline_of_the_panel(lab: Lab, panel: Locator) -> None:
    """Not with the first one of the list, whichever of two questions is answered last."""
    for _ in range(4):
        lab.command("mlkit:open")
        tab = lab.page.locator('[id^="mlkit-pipelines-"]:visible').last
        expect(tab.locator('svg [data-pick="count"]')).to_be_visible()
        expect(tab.get_by_label("pipeline", exact=True)).to_have_value(HERE)
        lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.dispose()")
    expect(panel.get_by_label("pipeline", exact=True)).to_have_value(HERE)
    assert lab.errors == []


def test_a_refusal_is_seen_where_one_is_and_goes_with_the_next_change(
    lab: Lab, panel: Locator, words: Path
) -> None:
    """Undo after somebody has edited the file, far below the words that say why not."""
    file = words / "pipeline.yaml"
    # By mouse, and then at the field itself: while JupyterLab still opens, it moves the focus.
    panel.get_by_role("button", name="Add a stage …").click()
    panel.get_by_label("its name").fill("third")
    file.write_text(PIPELINE.replace("# reads them", "# reads them all"))
    expect(panel.get_by_label("its name")).to_have_value("third")
    panel.get_by_label("its name").press("Enter")
    expect(panel.locator('svg [data-pick="third"]')).to_be_visible()
    file.write_text(f"{file.read_text()}# by hand\n")
    before = file.read_text()
    lab.page.set_viewport_size({"width": 1360, "height": 500})
    undo, problem = panel.get_by_role("button", name="Undo"), panel.locator(".mlkit-problem")
    undo.click()
    expect(problem).to_contain_text("has changed since, and is left as it is")
    assert problem.evaluate(_IS_SEEN)
    lab.page.set_viewport_size({"width": 1360, "height": 1300})
    assert file.read_text() == before
    file.write_text(PIPELINE)
    expect(problem).to_have_count(0)
    (words / "third.ipynb").unlink(missing_ok=True)
    assert lab.errors == []


def test_where_nothing_can_be_wired_it_is_said(lab: Lab, panel: Locator, words: Path) -> None:
    """A stage that was drawn without inputs, by keyboard; an empty choice would be a riddle."""
    write_notebook(words / "write.ipynb", ("work", "1 + 1"))
    alone = "name: alone\nstages:\n  write: {notebook: write.ipynb}\n"
    (words / "pipeline.yaml").write_text(alone)
    expect(panel.locator('svg [data-pick="count"]')).to_have_count(0)
    panel.locator('svg [data-pick="write"]').press("Enter")
    panel.get_by_role("button", name="Wire an input …").press("Enter")
    form = panel.get_by_role("form", name="What write reads")
    expect(form).to_contain_text("names nothing to read. Add a line to it")
    assert form.locator("select").count() == 0
    lab.page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    assert lab.errors == []


def test_a_page_in_front_is_what_commands_are_meant_for(
    lab: Lab, panel: Locator, words: Path
) -> None:
    """Not the notebook that was in front before: Ctrl-S and the menus would change it."""
    panel.get_by_role("button", name="▶ Run", exact=True).click()
    expect(panel.locator('[data-pick="count"].state-succeeded')).to_be_visible()
    lab.open(f"{words.name}/count.ipynb")
    panel.get_by_role("button", name="Report", exact=True).press("Enter")
    report = lab.page.frame_locator("iframe.mlkit-page:visible")
    expect(report.get_by_text("of pipeline words").first).to_be_visible()
    assert str(lab.page.evaluate(_CURRENT)).startswith("Report ")
    assert lab.errors == []


def test_names_may_be_long_quoted_and_from_right_to_left(
    lab: Lab, panel: Locator, words: Path
) -> None:
    """Nothing leaves its box or is cut; a stage that is chosen is whole in view."""
    write_notebook(words / "each.ipynb", ("given", 'title = ""\nout = "x"'), ("work", "1"))
    (words / "pipeline.yaml").write_text(LONG)
    expect(panel.locator('svg [data-pick="last"]')).to_be_visible()
    assert lab.page.evaluate(_OUT_OF_ITS_BOX, SIDE) == []
    panel.get_by_role("button", name="larger").click(click_count=3)
    panel.locator('svg [data-pick="last"]').press("Enter")
    panel.get_by_role("button", name="back to the usual size").click()
    panel.locator('svg [data-pick="last"]').press("Enter")
    expect(panel.get_by_role("button", name="Open source")).to_be_visible()
    lab.page.evaluate("(side) => document.querySelector(side).scrollTo(0, 0)", SIDE)
    lab.page.screenshot(path=str(shot("panel-long-names")))
    lab.command("mlkit:open")
    tab = lab.page.locator('[id^="mlkit-pipelines-"]:visible').last
    expect(tab.locator('svg [data-pick="last"]')).to_be_visible()
    name = tab.get_attribute("id")
    assert layout_problems(lab.page, f"#{name} .mlkit-panel") == []
    why = tab.locator(".plan tbody td").last.bounding_box()
    frame = tab.bounding_box()
    assert why is not None
    assert frame is not None
    assert why["x"] + why["width"] <= frame["x"] + frame["width"]
    assert lab.violations(f"#{name}") == []
    lab.page.screenshot(path=str(shot("panel-tab-long-names")))
    assert lab.errors == []


def test_an_error_of_one_long_word_does_not_widen_the_panel(
    lab: Lab, panel: Locator, words: Path
) -> None:
    """Neither in the line that says how the run ended nor beside the stage that failed."""
    raises = "raise ValueError('/data' + '/part' * 80)"
    write_notebook(words / "count.ipynb", ("given", 'words = ""\nmetrics = "m"'), ("work", raises))
    again = "notebook: count.ipynb\n    retry: {max_retries: 1, delay: 0}"
    (words / "pipeline.yaml").write_text(PIPELINE.replace("notebook: count.ipynb", again))
    panel.get_by_role("button", name="▶ Run").click()
    expect(panel.locator(".status")).to_contain_text("failed after")
    panel.locator('svg [data-pick="count"]').press("Enter")
    expect(panel.locator(".detail li")).to_have_count(2)
    lab.page.screenshot(path=str(shot("panel-long-error")))
    assert layout_problems(lab.page, SIDE) == []
    assert lab.errors == []


def test_a_chosen_stage_is_whole_in_view(lab: Lab, panel: Locator, words: Path) -> None:
    """In a picture of sixty stages, most of which are out of sight."""
    lines = [f"  s{n}: {{notebook: each.ipynb, after: [s{n // 3}]}}" for n in range(1, 60)]
    write_notebook(words / "each.ipynb", ("work", "1 + 1"))
    first = "name: sixty\nstages:\n  s0: {notebook: each.ipynb}\n"
    (words / "pipeline.yaml").write_text(first + "\n".join(lines) + "\n")
    for name in ("s59", "s0", "s20", "s41"):
        panel.locator(f'svg [data-pick="{name}"]').press("Enter")
        expect(panel.locator(f'svg [data-pick="{name}"]')).to_have_attribute("aria-pressed", "true")
        assert lab.page.evaluate(_PICKED_IS_WHOLE, SIDE), name
    lab.page.screenshot(path=str(shot("panel-sixty")))
    assert lab.errors == []


def test_the_palette_shows_the_panel_and_leaves_the_focus_there(
    lab: Lab, panel: Locator, words: Path
) -> None:
    """Also when it was opened in a notebook, to which the palette gives the focus back."""
    lab.open("odd words/write.ipynb")
    expect(panel).to_be_visible()
    page = lab.page
    page.keyboard.press("Control+Shift+c")
    page.keyboard.type("Show pipelines")
    page.keyboard.press("Enter")
    expect(panel.get_by_label("pipeline", exact=True)).to_be_focused()
    assert lab.errors == []
