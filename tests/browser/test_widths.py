"""Every view at every width, light and dark: nothing is cut, nothing is seriously wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from mlkit import widgets
from mlkit.testing import Sketch, write_notebook, write_pipeline
from mlkit.widgets.kit.base import Panel
from tests.browser.lab import Lab, shot, violations
from tests.browser.layout import SEEN_IN, layout_problems

pytestmark = [pytest.mark.browser, pytest.mark.kernel, pytest.mark.timeout(400)]

ARGUMENTS = {
    "PipelineView": "'wide'",
    "RunBrowser": "'wide'",
    "WatchView": "'wide'",
    "LessonMap": "'..'",
}
"""What a view needs; the others need nothing."""
VIEWS = [
    name
    for name in widgets.__all__
    if isinstance(found := getattr(widgets, name), type) and issubclass(found, Panel)
]
PANELS = ".jp-OutputArea .mlkit-panel"
"""The views; the side bar has a panel of its own."""
_LEFT = """(open) => { const shell = window.jupyterapp.shell;
  open ? shell.expandLeft() : shell.collapseLeft(); }"""


def _wide(folder: Path) -> None:
    """A pipeline whose picture is larger than a screen, with a map, long names and many fields."""
    typed = "\n".join(f"a_parameter_with_a_long_name_{n}: int = {n}" for n in range(5))
    body = "import mlkit\nmlkit.log_metric('score', rows)\nopen(out, 'w').write('x' * rows)"
    first = Sketch(name="first", declares=f"rows: int = 1\ndeep: bool = False\n{typed}", body=body)
    many = Sketch(
        name="train_every_candidate",
        upstream=("first",),
        declares="model: str = ''",
        keys={"foreach": {"model": ["a_model_with_a_long_name", *"bcdefgh"]}},
    )
    beside = [Sketch(name=f"beside_{n}", upstream=("first",)) for n in range(5)]
    names = tuple(sketch.name for sketch in beside)
    chain = [Sketch(name="after_0", upstream=names, keys={"after": [many.name]})]
    chain += [Sketch(name=f"after_{n}", upstream=(f"after_{n - 1}",)) for n in range(1, 9)]
    values = {
        "rows": 1,
        "deep": False,
        **{f"a_parameter_with_a_long_name_{n}": n for n in range(5)},
    }
    write_pipeline(folder, first, many, *beside, *chain, name="wide", parameters=values)


@pytest.fixture(scope="module")
def views(browser: Browser, address: str, checkout: Path) -> Iterator[Lab]:
    """All views in one notebook, after two runs of a pipeline, compared."""
    folder = checkout / "widths"
    _wide(folder / "wide")
    made = "\n".join(f"{name.lower()} = {name}({ARGUMENTS.get(name, '')})" for name in VIEWS)
    shown = ", ".join(name.lower() for name in VIEWS)
    write_notebook(
        folder / "all.ipynb",
        "import mlkit\nfrom mlkit.widgets import *\nfrom IPython.display import display\n"
        "first = mlkit.run('wide')\nmlkit.run('wide', parameters={'rows': 2})\n"
        f"{made}\nrunbrowser.compare_with(first.run_id)\ndisplay({shown})",
    )
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(120_000)
    # A workspace of its own: what other tests have left open stays in theirs.
    lab = Lab(context.new_page(), address.replace("{path}", "/workspaces/widths{path}"))
    lab.open("widths/all.ipynb")
    lab.run_all(timeout_s=240)
    expect(lab.page.locator(PANELS)).to_have_count(len(VIEWS))
    expect(lab.page.locator(PANELS, has_text="what would run")).to_contain_text("4 succeeded")
    yield lab
    lab.close_all()
    context.close()


@pytest.mark.parametrize(("width", "theme"), SEEN_IN)
def test_every_view_fits(width: int, theme: str, views: Lab) -> None:
    """With JupyterLab's side bar open where there is room for it."""
    page = views.page
    views.theme(f"JupyterLab {theme.title()}")
    page.set_viewport_size({"width": width, "height": 6000})
    page.evaluate(_LEFT, width >= 1000)
    page.evaluate("() => new Promise((done) => setTimeout(done, 300))")
    for number in range(len(VIEWS)):
        page.locator(PANELS).nth(number).screenshot(
            path=str(shot(f"{VIEWS[number]}-{width}-{theme}"))
        )
    assert layout_problems(page, PANELS) == []
    assert violations(page, PANELS) == []
    assert views.errors == []


@pytest.mark.parametrize(("width", "height"), [(1400, 1000), (1000, 1000), (400, 900)])
def test_details_stand_beside_the_stage_that_was_clicked(
    width: int, height: int, views: Lab
) -> None:
    """However far the picture was scrolled: the box and what is told of it are seen together."""
    page = views.page
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(_LEFT, False)
    panel = _pipeline(page)
    for name in ("after_8", "first"):
        box = panel.locator(f'[data-pick="{name}"]')
        box.scroll_into_view_if_needed()
        box.click()
        detail = panel.locator(".mlkit-detail h4", has_text=name)
        expect(detail).to_be_in_viewport()
        expect(box).to_be_in_viewport()
        page.screenshot(path=str(shot(f"detail-{name}-{width}")))
    assert views.errors == []


def test_a_picture_is_enlarged_and_shown_whole(views: Lab) -> None:
    """By buttons that the keyboard reaches; maps fold to a count of their states."""
    page = views.page
    page.set_viewport_size({"width": 1400, "height": 1000})
    panel = _pipeline(page)
    frame = panel.locator(".mlkit-frame")
    usual = _width(page)
    frame.get_by_role("button", name="larger").click()
    assert _width(page) > usual * 1.2
    frame.get_by_role("button", name="show the whole picture").press("Enter")
    inside, drawn = (
        frame.locator(".mlkit-scroll").bounding_box(),
        frame.locator("svg").bounding_box(),
    )
    assert inside is not None
    assert drawn is not None
    assert drawn["height"] <= inside["height"] + 1
    assert drawn["width"] <= inside["width"] + 1
    frame.get_by_role("button", name="back to the usual size").click()
    assert _width(page) == usual
    panel.get_by_label("fold maps").check()
    expect(frame).to_contain_text("for each model: ✓ 8")
    expect(frame).not_to_contain_text("a_model_with_a_long_name")
    assert views.errors == []


def _pipeline(page: Page) -> Locator:
    """`PipelineView`; other views show the same pipeline's picture."""
    return page.locator(PANELS).nth(VIEWS.index("PipelineView"))


def _width(page: Page) -> float:
    box = _pipeline(page).locator(".mlkit-frame svg")
    found = box.bounding_box()
    assert found is not None
    return found["width"]
