"""One JupyterLab for the session, one browser for each module of tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab, chromium, copy_checkout, jupyterlab, shot


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, for one module of tests."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's copy of the notebooks."""
    return copy_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def address(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where JupyterLab answers."""
    with jupyterlab(checkout, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="module")
def window(browser: Browser, address: str) -> Iterator[Lab]:
    """JupyterLab in a fresh profile, once loaded."""
    context = browser.new_context(viewport={"width": 1360, "height": 1300})
    context.set_default_timeout(60_000)
    yield Lab(context.new_page(), address)
    context.close()


@pytest.fixture
def lab(window: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The window without open notebooks; how it looked at the end of the test is kept."""
    window.errors.clear()
    yield window
    window.page.screenshot(path=str(shot(f"end-of-{request.node.name}")))
    window.close_all()
