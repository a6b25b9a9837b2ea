"""The picture of README and the documentation, taken of the real thing.

`make pictures` takes it anew; as a test, it sees that what it shows is still there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.lab import Lab, shot

pytestmark = [
    *(pytest.mark.browser, pytest.mark.kernel, pytest.mark.slow),
    pytest.mark.timeout(600),
]
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
_WIDTH = 640
"""Pixels of the panel: the picture of seventeen stages can be read."""


@pytest.fixture(scope="module")
def wide(browser: Browser, address: str) -> Iterator[Lab]:
    """JupyterLab as it shows on a laptop, a little sharper."""
    context = browser.new_context(viewport={"width": 1440, "height": 860}, device_scale_factor=1.25)
    context.set_default_timeout(60_000)
    yield Lab(context.new_page(), address)
    context.close()


def _keep(page: Page, name: str) -> None:
    """Keep the picture of a page; with MLKIT_PICTURES=write, in the documentation."""
    taken = shot(f"picture-{name}")
    page.screenshot(path=str(taken))
    if os.environ.get("MLKIT_PICTURES") == "write":
        PICTURES.mkdir(exist_ok=True)
        # A screen has few colours: a palette keeps the repository small.
        few = Image.open(taken).convert("RGB").quantize(128, dither=Image.Dither.NONE)
        few.save(PICTURES / f"{name}.png", optimize=True)


def test_the_panel_beside_a_stage_while_its_pipeline_runs(wide: Lab, checkout: Path) -> None:
    """Some stages are done, some run, some wait."""
    page = wide.page
    shutil.rmtree(checkout / "notebooks" / "flights" / "runs", ignore_errors=True)
    wide.enter("pictures")
    wide.open("notebooks/flights/06-train.ipynb")
    panel = wide.pipelines("notebooks/flights/pipeline.yaml", "train")
    edge = page.locator(".lm-SplitPanel-handle:visible").first.bounding_box()
    assert edge is not None
    page.mouse.move(edge["x"] + 1, edge["y"] + 300)
    page.mouse.down()
    page.mouse.move(_WIDTH, edge["y"] + 300, steps=5)
    page.mouse.up()
    command = [sys.executable, "-m", "mlkit", "run", str(checkout / "notebooks" / "flights")]
    terminal = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    expect(panel.locator("svg .state-succeeded").nth(4)).to_be_visible(timeout=120_000)
    expect(panel.locator("svg .state-running").first).to_be_visible()
    _keep(page, "panel")
    assert terminal.wait(300) == 0
    expect(panel.locator(".status")).to_contain_text("✓ succeeded")
    assert wide.errors == []
