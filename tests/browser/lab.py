"""A real JupyterLab, and a page in a real browser that shows it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "test-artifacts"
NOISE = (
    # Chromium in a container: the page asks for nothing that the network would have to give.
    "Failed to load resource: net::ERR_INTERNET_DISCONNECTED",
)
"""What may stand in the console as an error: nothing of it comes from the kit."""

_OPEN = "() => window.jupyterapp?.shell?.currentWidget?.content?.widgets"
_IDLE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  return kernel?.status === 'idle' && kernel?.connectionStatus === 'connected';
}"""
_DONE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = panel.content.widgets.filter((cell) => cell.model.type === 'code');
  return cells.every((c) => c.model.executionState === 'idle' && c.model.executionCount !== null);
}"""


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def copy_checkout(to: Path) -> Path:
    """What a learner works in, without what earlier runs have left."""
    for name in ("notebooks", "exercises", "solutions"):
        left = shutil.ignore_patterns("runs", "scratch", ".ipynb_checkpoints", "__pycache__")
        shutil.copytree(ROOT / name, to / name, ignore=left)
    return to


@contextmanager
def jupyterlab(root: Path, home: Path) -> Iterator[str]:
    """Run JupyterLab on a folder, as `make lab` does; gives its address with the token."""
    port, token = free_port(), secrets.token_hex(16)
    settings = home / "lab" / "settings"
    settings.mkdir(parents=True)
    own = files("mlkit.widgets").joinpath("static/lab-settings.json").read_text()
    (settings / "overrides.json").write_text(own)
    folders = {f"JUPYTER_{n}_DIR": str(home / n.lower()) for n in ("CONFIG", "DATA", "RUNTIME")}
    environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"),
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
        env={**environment, **folders, "IPYTHONDIR": str(home / "ipython")},
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server)
        yield f"http://127.0.0.1:{port}/lab{{path}}?token={token}"
    finally:
        _end(server)
        log.close()


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
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
        self.page.goto(self.address.format(path=f"/tree/{path}"), wait_until="domcontentloaded")
        self.page.wait_for_function(_OPEN)
        self.page.wait_for_function(_IDLE, timeout=60_000)

    def command(self, name: str) -> None:
        """Run one of JupyterLab's commands, without waiting for its end."""
        self.page.evaluate("(name) => { window.jupyterapp.commands.execute(name); }", name)

    def run_all(self, timeout_s: float = 90) -> None:
        """Run every cell and wait for the last one."""
        self.command("notebook:run-all-cells")
        self.page.wait_for_function(_DONE, timeout=timeout_s * 1000)

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
        SHOTS.mkdir(exist_ok=True)
        self.page.locator(selector).first.screenshot(path=str(SHOTS / f"{name}.png"))
