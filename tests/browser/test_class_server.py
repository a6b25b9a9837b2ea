"""A class on JupyterHub: two learners and a teacher, each in a browser of their own.

The configuration is that of docs/class-server.md, as it stands there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from mlkit.engines.local_server import free_port
from tests.browser.lab import ROOT, Lab, shot
from tests.panel.words import make_words

pytestmark = [
    pytest.mark.browser,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

_LISTED = """async () => {
  const folder = await window.jupyterapp.serviceManager.contents.get('');
  return folder.content.map((item) => item.name);
}"""
PAGE = ROOT / "docs" / "class-server.md"
PASSWORD = "a-password-of-the-class"
MEAN = "def mean(numbers):\n    return sum(numbers) / len(numbers) if numbers else None"
SUM = "def mean(numbers):\n    return sum(numbers) if numbers else None"
_SUBMIT = """async (path) => {
  const { contents } = window.jupyterapp.serviceManager;
  return (await contents.copy(path, 'submit')).path;
}"""


def block(name: str) -> str:
    """A file that the page shows."""
    found = re.search(rf"^```\w+ {re.escape(name)}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert found is not None, name
    return found[1]


def commands(*starts: str) -> list[list[str]]:
    """The page's commands that start so, in its order."""
    lines = re.findall(r"^\$ (mlkit .*)$", PAGE.read_text(), re.M)
    return [line.split() for line in lines if line.startswith(starts)]


def proxy() -> Path:
    """JupyterHub's proxy, from npm; `make hub` sets it up."""
    own = ROOT / ".hub" / "node_modules" / ".bin" / "configurable-http-proxy"
    found = str(own) if own.exists() else shutil.which("configurable-http-proxy")
    if found is None:
        pytest.fail("configurable-http-proxy is not installed: make hub")
    return Path(found)


@dataclass(frozen=True, kw_only=True)
class Class:
    """A class that is served."""

    folder: Path
    address: str

    def run(self, *command: str) -> None:
        """Do what the teacher types in the class's folder."""
        words = [sys.executable, "-P", "-m", *command]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    """The server with an exercise that is handed out."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "roster.csv").write_text(block("roster.csv"))
    config = folder / "jupyterhub_config.py"
    config.write_text(block("jupyterhub_config.py"))
    port = free_port()
    made = Class(folder=folder, address=f"http://127.0.0.1:{port}")
    for command in commands("mlkit exercise"):
        made.run(*command)
    with _hub(folder, config, port):
        yield made


@contextmanager
def _hub(folder: Path, config: Path, port: int) -> Iterator[None]:
    """JupyterHub on loopback, with ports of its own; and JupyterLab's app at hand for the test."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "MLKIT"))},
        "CLASS": str(folder),
        "CLASS_PASSWORD": PASSWORD,
        "PATH": f"{proxy().parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    more = ["--LabApp.expose_app_in_browser=True", *(["--allow-root"] if os.geteuid() == 0 else [])]
    command = [
        *(sys.executable, "-m", "jupyterhub", "-f", str(config)),
        f"--JupyterHub.bind_url=http://127.0.0.1:{port}",
        f"--JupyterHub.hub_port={free_port()}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{free_port()}",
        f"--ConfigurableHTTPProxy.pid_file={folder / 'proxy.pid'}",
        f"--Spawner.args={more!r}",
        "--Spawner.start_timeout=180",
        "--Spawner.http_timeout=120",
    ]
    with (folder / "hub.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/hub/health", server, folder / "hub.log")
            yield
        finally:
            server.send_signal(signal.SIGTERM)  # it ends the learners' servers and the proxy, too
            with suppress(subprocess.TimeoutExpired):
                server.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.3)
    raise AssertionError(log.read_text())


@contextmanager
def logged_in(browser: Browser, school: Class, name: str) -> Iterator[Lab]:
    """Log in as people do, and wait for the own JupyterLab."""
    context = browser.new_context(viewport={"width": 1360, "height": 1000})
    context.set_default_timeout(180_000)
    lab = Lab(context.new_page(), f"{school.address}/user/{name}/lab{{path}}")
    page = lab.page
    page.goto(f"{school.address}/hub/login?next=/hub/spawn")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_function("() => window.jupyterapp?.shell !== undefined")
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    try:
        yield lab
    finally:
        page.screenshot(path=str(shot(f"class-{name}")))
        context.close()


def _runs_a_pipeline(lab: Lab, folder: Path) -> None:
    """The panel answers behind the hub's prefix: it runs a pipeline, and shows its states."""
    make_words(folder)
    lab.page.evaluate("() => { window.jupyterapp.commands.execute('mlkit:refresh'); }")
    panel = lab.page.locator("#mlkit-pipelines")
    panel.get_by_label("pipeline", exact=True).select_option("words/pipeline.yaml")
    panel.get_by_role("button", name="▶ Run", exact=True).click()
    expect(panel.locator('[data-pick="count"].state-succeeded')).to_be_visible()
    panel.locator('svg [data-pick="count"]').click()
    expect(panel.locator(".detail")).to_contain_text("executed notebook")


def test_a_week_of_two_learners_and_a_teacher(browser: Browser, school: Class) -> None:
    """Handed out, worked on, checked, handed in, graded, given back: to each the own."""
    notebook = "exercises/01-mean.ipynb"
    for name, answer, told in (("ada", MEAN, "✓ passed"), ("ben", SUM, "This is the sum.")):
        with logged_in(browser, school, name) as lab:
            lab.open(notebook)
            lab.type_into("answer-mean", answer)
            lab.run_all()
            expect(lab.page.locator(".jp-OutputArea").filter(has_text=told).first).to_be_visible()
            lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
            lab.page.wait_for_function(
                "() => !window.jupyterapp.shell.currentWidget.context.model.dirty"
            )
            assert lab.page.evaluate(_SUBMIT, notebook) == "submit/01-mean.ipynb"
            _runs_a_pipeline(lab, school.folder / "homes" / name / "words")
            assert lab.errors == []
            if name == "ben":
                answered = lab.page.goto(f"{school.address}/user/ada/lab")
                assert answered is not None
                assert answered.status in (403, 404), "nobody enters another one's server"
    with logged_in(browser, school, "teacher") as lab:
        lab.page.goto(f"{school.address}/hub/admin")
        expect(lab.page.get_by_text("ada").first).to_be_visible()
    for command in commands("mlkit class", "mlkit grade"):
        school.run(*command)
    grades = json.loads((school.folder / "grades" / "grades.json").read_text())
    points = {item["student"]: (item["score"], item["max"]) for item in grades["submissions"]}
    assert points["ada"][0] == points["ada"][1] > points["ben"][0]
    for name in ("ada", "ben"):
        page = (school.folder / "homes" / name / "returned.html").read_text()
        assert ("This is the sum" in page) == (name == "ben")
        with logged_in(browser, school, name) as lab:
            assert {"returned.html", "submit", "exercises"} <= set(lab.page.evaluate(_LISTED))
