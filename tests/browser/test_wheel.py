"""What is installed from the wheel: JupyterLab has the panel, and its server answers it."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from mlkit.engines.local_server import free_port
from tests.browser.lab import ROOT, Lab, shot, wait_for
from tests.panel.words import make_words

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, that sees this one's packages and not this one's mlkit."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = ["wheel", "--no-deps", "--wheel-dir", str(folder / "dist"), str(ROOT)]
    subprocess.run([*pip, *wheels], check=True, timeout=300)
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True
    )
    own = folder / "venv" / "bin" / "python"
    (wheel,) = (folder / "dist").glob("*.whl")
    install = [*pip, "--python", str(own), "install", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, timeout=300)
    # A path in a file ending in .pth is searched; what that folder's own .pth files say is not.
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return own


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Nothing of this user's Jupyter, and nothing that names this checkout."""
    home = tmp_path_factory.mktemp("home")
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON", "MLKIT"))}
    # JupyterLab's page asks for it, and what enables it is in the environment around this one.
    (home / "config").mkdir()
    enabled = {"ServerApp": {"jpserver_extensions": {"jupyter_lsp": True}}}
    (home / "config" / "jupyter_server_config.json").write_text(json.dumps(enabled))
    folders = {f"JUPYTER_{n}_DIR": str(home / n.lower()) for n in ("CONFIG", "DATA", "RUNTIME")}
    return {**bare, **folders, "IPYTHONDIR": str(home / "ipython")}


@pytest.fixture
def address(python: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """JupyterLab of that environment, on a folder with a pipeline."""
    make_words(tmp_path / "words")
    port, token = free_port(), secrets.token_hex(16)
    app = Path(sys.prefix) / "share" / "jupyter" / "lab"
    command = [
        *(str(python), "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"),
        *(f"--ServerApp.root_dir={tmp_path}", f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={token}", f"--LabApp.app_dir={app}"),
        *(["--allow-root"] if os.geteuid() == 0 else []),
    ]
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True, cwd=tmp_path
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/api?token={token}", server)
            yield f"http://127.0.0.1:{port}/lab{{path}}?token={token}"
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(20)
            finally:
                server.kill()
                server.wait()


LISTED = {
    "mlkit v": ("jupyterlab.labextensions", "list"),
    "mlkit.panel enabled": ("jupyter_server", "extension", "list"),
}
"""What the lists of Jupyter's two kinds of extensions say, and how they are asked for."""


@pytest.mark.parametrize("said", LISTED)
def test_the_wheel_is_listed(said: str, python: Path, environment: dict[str, str]) -> None:
    """As docs/panel.md says."""
    command = [str(python), "-m", *LISTED[said]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    colourless = re.sub(r"\x1b\[\d+m", "", done.stdout + done.stderr)
    assert said in re.sub(r"\s+", " ", colourless)


def test_the_wheel_brings_the_panel(address: str, browser: Browser) -> None:
    """It shows a pipeline, and runs it."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(120_000)
    lab = Lab(context.new_page(), address)
    lab.enter("wheel")
    panel = lab.pipelines("words/pipeline.yaml", "count")
    panel.get_by_role("button", name="▶ Run", exact=True).click()
    expect(panel.locator('[data-pick="count"].state-succeeded')).to_be_visible(timeout=180_000)
    lab.page.screenshot(path=str(shot("panel-of-the-wheel")))
    context.close()
    assert lab.errors == []
