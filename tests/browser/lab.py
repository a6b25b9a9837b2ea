"""A real JupyterLab, and a page in a real browser that shows it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from mlkit.engines.local_server import free_port

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("MLKIT_LAB_PYTHON", sys.executable)
"""The Python whose JupyterLab is tested: `make test-lab` names that of another version."""
SHOTS = ROOT / "test-artifacts"
PANEL = ROOT / "mlkit" / "panel"
SIDE = "#mlkit-pipelines"
"""The panel in the left bar."""
NOISE = (
    # Chromium in a container: the page asks for nothing that the network would have to give.
    "Failed to load resource: net::ERR_INTERNET_DISCONNECTED",
)
"""What may stand in the console as an error: nothing of it comes from the kit."""

_HAS_PANEL = "() => window.jupyterapp?.commands.hasCommand('mlkit:show')"
_SHOW_PANEL = (
    "() => window.jupyterapp.restored.then(() => window.jupyterapp.commands.execute('mlkit:show'))"
)
_OPEN = "(path) => { window.jupyterapp.commands.execute('docmanager:open', { path }); }"
_CLOSE = """async () => {
  for (const widget of [...window.jupyterapp.shell.widgets('main')]) {
    await widget.sessionContext?.shutdown();
    widget.dispose();
  }
}"""
_IDLE = """(path) => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  if (panel?.context?.path !== path || panel.content.widgets.length === 0) return false;
  const kernel = panel.sessionContext.session?.kernel;
  return kernel?.status === 'idle' && kernel.connectionStatus === 'connected';
}"""
_DONE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = panel.content.widgets.filter((cell) => cell.model.type === 'code');
  const outputs = cells.flatMap((c) => c.model.outputs.toJSON());
  const error = outputs.find((output) => output.output_type === 'error');
  if (error) throw new Error(`a cell raised ${error.ename}: ${error.evalue}`);
  return cells.every((c) => c.model.executionState === 'idle' && c.model.executionCount !== null);
}"""

_FIND = """
  const panel = window.jupyterapp.shell.currentWidget;
  const index = panel.content.widgets.findIndex((cell) => cell.model.id === id);
  const cell = panel.content.widgets[index];
"""
_SELECT_AFTER = f"(id) => {{ {_FIND} panel.content.activeCellIndex = index + 1; }}"
_SCROLL_TO = f"(id) => {{ {_FIND} return panel.content.scrollToItem(index, 'start'); }}"
_EDIT = f"""async (id) => {{ {_FIND}
  await panel.content.scrollToItem(index, 'start');
  panel.content.activeCellIndex = index;
  panel.content.mode = 'edit';
  cell.editor.focus();
}}"""
_CELL_DONE = f"""(id) => {{ {_FIND}
  return cell.model.executionState === 'idle' && cell.model.executionCount !== null;
}}"""

_SAYS = f"""([id, text]) => {{ {_FIND}
  const told = cell.model.outputs.toJSON().flatMap((o) => (o.data ?? {{}})['text/plain'] ?? []);
  return told.join('').includes(text);
}}"""


def shot(name: str) -> Path:
    """Where a picture of the page is kept."""
    SHOTS.mkdir(exist_ok=True)
    return SHOTS / f"{name}.png"


def copy_checkout(to: Path) -> Path:
    """What a learner works in, without what earlier runs have left."""
    for name in ("notebooks", "exercises", "solutions"):
        left = shutil.ignore_patterns("runs", "scratch", ".ipynb_checkpoints", "__pycache__")
        shutil.copytree(ROOT / name, to / name, ignore=left)
    return to


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, driven by Playwright.

    Playwright keeps an event loop in this thread as long as it lives: it ends with a module of
    tests, so that no other test finds one.
    """
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is not installed: make test-browser")
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=path, args=flags)
        yield started
        started.close()


def violations(page: Page, selector: str = "") -> list[str]:
    """What axe finds seriously wrong in a page, or in a part of it."""
    found = Axe().run(page, context=selector or None).response["violations"]
    return [
        f"{item['id']}: {node['html'][:160]}"
        for item in found
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"]
    ]


@contextmanager
def jupyterlab(root: Path, home: Path) -> Iterator[str]:
    """Run JupyterLab on a folder, as `make lab` does; gives its address with the token."""
    port, token = free_port(), secrets.token_hex(16)
    settings = home / "lab" / "settings"
    settings.mkdir(parents=True)
    own = files("mlkit.widgets.kit").joinpath("static/lab-settings.json").read_text()
    (settings / "overrides.json").write_text(own)
    folders = {f"JUPYTER_{n}_DIR": str(home / n.lower()) for n in ("CONFIG", "DATA", "RUNTIME")}
    kept = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    environment = {**kept, **folders, "IPYTHONDIR": str(home / "ipython")}
    environment["JUPYTER_PATH"] = str(_with_panel(home))
    shipped = [str(path) for path in root.rglob("*.ipynb")]
    if shipped:
        trust = [PYTHON, "-m", "jupyter", "trust", *shipped]
        subprocess.run(trust, env=environment, check=True, capture_output=True, timeout=120)
    command = [
        *(PYTHON, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"),
        *(f"--ServerApp.root_dir={root}", f"--port={port}", f"--IdentityProvider.token={token}"),
        *(f"--LabApp.app_settings_dir={settings}", "--ServerApp.port_retries=0"),
        *(["--allow-root"] if os.geteuid() == 0 else []),
    ]
    log = (home / "lab.log").open("wb")
    server = subprocess.Popen(
        command,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=environment,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/api?token={token}", server)
        yield f"http://127.0.0.1:{port}/lab{{path}}?token={token}"
    finally:
        _end(server)
        log.close()


def _with_panel(home: Path) -> Path:
    """Put the checkout's panel where JupyterLab and its server look, as an installation does."""
    config = home / "config" / "jupyter_server_config.d"
    config.mkdir(parents=True)
    (config / "mlkit.json").write_bytes((PANEL / "jupyter_server_config.json").read_bytes())
    extensions = home / "share" / "labextensions"
    extensions.mkdir(parents=True)
    (extensions / "mlkit").symlink_to(PANEL / "labextension")
    return home / "share"


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise RuntimeError("JupyterLab did not start; see lab.log")


def _end(server: subprocess.Popen[bytes]) -> None:
    """Kernels have process groups of their own, so the server is asked first."""
    server.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


@dataclass
class Lab:
    """A page that shows JupyterLab."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(noise in message.text for noise in NOISE):
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def open(self, path: str) -> None:
        """Open a notebook and wait until its kernel is ready."""
        if self.page.url == "about:blank":
            place = self.address.format(path=f"/tree/{path}")
            # Else it opens again what another module of tests has left open, moved or not.
            fresh = f"{place}{'&' if '?' in place else '?'}reset"
            self.page.goto(fresh, wait_until="domcontentloaded")
        else:
            self.page.evaluate(_OPEN, path)
        self.page.wait_for_function(_IDLE, arg=path, timeout=120_000)

    def close_all(self) -> None:
        """Close every notebook with its kernel, unsaved, and go back to the light theme."""
        if self.page.locator(".jp-Dialog").count():
            self.page.keyboard.press("Escape")
        self.page.evaluate(_CLOSE)
        self.theme("JupyterLab Light")

    def command(self, name: str) -> None:
        """Run one of JupyterLab's commands, without waiting for its end."""
        self.page.evaluate("(name) => { window.jupyterapp.commands.execute(name); }", name)

    def enter(self, workspace: str) -> None:
        """Load a workspace, in which is not open what other tests have left in theirs."""
        path = f"/workspaces/{workspace}"
        self.page.goto(self.address.format(path=path), wait_until="domcontentloaded")
        self.page.wait_for_function(_HAS_PANEL)

    def pipelines(self, chosen: str, stage: str) -> Locator:
        """Show the panel with a pipeline chosen, and wait until one of its stages is drawn."""
        self.page.evaluate(_SHOW_PANEL)
        panel = self.page.locator(SIDE)
        panel.get_by_label("pipeline", exact=True).select_option(chosen)
        expect(panel.locator(f'svg [data-pick="{stage}"]').first).to_be_attached()
        return panel

    def run_all(self, timeout_s: float = 120) -> None:
        """Run every cell and wait for the last one."""
        self.command("notebook:run-all-cells")
        self.page.wait_for_function(_DONE, timeout=timeout_s * 1000)

    def run_until(self, cell_id: str, timeout_s: float = 120) -> None:
        """Run the cells from the first to this one, and wait for it."""
        self.page.evaluate(_SELECT_AFTER, cell_id)
        self.command("notebook:run-all-above")
        self.page.wait_for_function(_CELL_DONE, arg=cell_id, timeout=timeout_s * 1000)

    def show(self, cell_id: str) -> None:
        """Scroll to a cell, so that it is drawn."""
        self.page.evaluate(_SCROLL_TO, cell_id)

    def type_into(self, cell_id: str, content: str) -> None:
        """Replace a cell's source by typing into its editor."""
        self.page.evaluate(_EDIT, cell_id)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(content)

    def answer(self, cell_id: str, content: str) -> None:
        """Type a cell's source, and run it by keyboard."""
        self.type_into(cell_id, content)
        self.page.keyboard.press("Control+Enter")

    def wait_until_says(self, cell_id: str, text: str, timeout_s: float = 60) -> None:
        """Wait until a cell's output holds a text."""
        self.page.wait_for_function(_SAYS, arg=[cell_id, text], timeout=timeout_s * 1000)

    def violations(self, selector: str) -> list[str]:
        """What axe finds seriously wrong in a part of the page."""
        self.page.wait_for_selector(selector)
        return violations(self.page, selector)

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme."""
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        light = "true" if "Light" in name else "false"
        self.page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light", arg=light
        )

    def shoot(self, name: str, selector: str = ".jp-NotebookPanel:not(.lm-mod-hidden)") -> None:
        """Keep a picture of a part of the page."""
        self.page.locator(selector).first.screenshot(path=str(shot(name)))
