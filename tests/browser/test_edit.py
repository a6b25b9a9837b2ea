"""`mlkit edit` in a real browser: open, edit one line, run it on real inputs, save."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.kernel]

PIPELINE = """\
name: words
parameters: {many: 3}
stages:
  write:
    notebook: write.ipynb
    outputs: {words: words.json}
  count:
    notebook: count.ipynb
    inputs: {words: write.words}
    outputs: {metrics: metrics.json}
  text:
    notebook: text.py
"""
TEXT = """# %% tags=["parameters"]
many = 1   # how many

# %%
print( many )
"""


def _notebook(path: Path, *cells: tuple[str, str]) -> None:
    document = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": name,
                "metadata": {"tags": ["parameters"]} if name == "given" else {},
                "outputs": [],
                "source": text.splitlines(keepends=True),
            }
            for name, text in cells
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of two stages in a repository."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pipeline.yaml").write_text(PIPELINE)
    (folder / ".gitignore").write_text("runs/\n.ipynb_checkpoints/\n__pycache__/\n")
    (folder / "helper.py").write_text("WORD = 'wörter'\n")
    (folder / "text.py").write_text(TEXT)
    _notebook(
        folder / "write.ipynb",
        ("given", 'many = 1\nwords = "scratch/words.json"'),
        ("work", 'import json\njson.dump(["w"] * many, open(words, "w"))'),
    )
    _notebook(
        folder / "count.ipynb",
        ("given", 'words = "runs/latest/write/words.json"\nmetrics = "scratch/metrics.json"'),
        ("read", "import json\nimport helper\nfound = json.load(open(words))"),
        ("tell", 'print(len(found), helper.WORD)\njson.dump({"n": 1}, open(metrics, "w"))'),
    )
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "-c", "user.name=n", "-c", "user.email=a@b", "commit", "-qm", "first")
    return folder


def _git(folder: Path, *words: str) -> str:
    ran = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return ran.stdout


@pytest.fixture(scope="module")
def server(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`mlkit edit count`, as long as the tests of this module last."""
    with _edit("count", project, tmp_path_factory.mktemp("home")) as said:
        yield said


@contextmanager
def _edit(stage: str, project: Path, home: Path) -> Iterator[dict[str, Any]]:
    """Run `mlkit edit`; it ends with Ctrl-C."""
    folders = {f"JUPYTER_{n}_DIR": str(home / n.lower()) for n in ("CONFIG", "DATA", "RUNTIME")}
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    kept = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    env = {
        **kept,
        **folders,
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
    }
    (home / "config").mkdir(parents=True)
    (home / "config" / "jupyter_server_config.py").write_text(
        "c.LabApp.expose_app_in_browser = True\n"
    )
    command = [sys.executable, "-m", "mlkit", "edit", stage, str(project), "--json"]
    with (home / "log.txt").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=env)
        assert process.stdout is not None
        said = ""
        while not said.endswith("\n}\n") and (line := process.stdout.readline()):
            said += line
        yield {**json.loads(said), "log": home / "log.txt"}
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, (home / "log.txt").read_text()


@pytest.fixture
def lab(browser: Browser, server: dict[str, Any]) -> Iterator[Lab]:
    """The page that `mlkit edit` opens."""
    with _page(browser, server["url"], "count.ipynb") as page:
        yield page


@contextmanager
def _page(browser: Browser, url: str, name: str) -> Iterator[Lab]:
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    context.set_default_timeout(60_000)
    lab = Lab(context.new_page(), url.replace(f"/tree/{name}", "{path}"))
    lab.open(name)
    yield lab
    context.close()


def _save(lab: Lab) -> None:
    """Save as Ctrl-S does, and wait for what comes of it."""
    lab.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")


def test_one_edited_line_runs_on_real_inputs_and_is_one_line_in_git(
    lab: Lab, project: Path, server: dict[str, Any]
) -> None:
    """The injected cell is shown, cannot be edited, and is in no file."""
    text = 'print(len(found), "of", helper.WORD)\njson.dump({"n": 1}, open(metrics, "w"))'
    lab.type_into("tell", text)
    lab.run_all()
    expect(lab.page.locator(".jp-OutputArea-output").first).to_contain_text("3 of wörter")
    lab.shoot("edit", ".jp-NotebookPanel")
    injected = lab.page.locator(".jp-Cell", has_text="Injected by mlkit edit")
    expect(injected.locator(".cm-content")).to_have_attribute("aria-readonly", "true")
    _save(lab)
    changed = [line for line in _git(project, "diff", "-U0").splitlines() if line[0] in "+-"][2:]
    assert changed == [
        '-    "print(len(found), helper.WORD)\\n",',
        '+    "print(len(found), \\"of\\", helper.WORD)\\n",',
    ]
    assert _git(project, "status", "--short").split() == ["M", "count.ipynb"]
    everything = [p.read_bytes() for p in project.rglob("*") if p.is_file()]
    assert not [data for data in everything if b"Injected by mlkit edit" in data]
    assert (Path(server["working_folder"]).parent / "out" / "metrics.json").exists()
    assert not list(project.rglob("metrics.json"))


def test_a_file_that_changed_meanwhile_is_not_overwritten(lab: Lab, project: Path) -> None:
    """Not even if somebody insists; after a reload it can be saved again."""
    file = project / "count.ipynb"
    theirs = file.read_text().replace("import helper", "import helper  # theirs")
    lab.type_into("read", "mine = 1")
    file.write_text(theirs)
    lab.page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:save'); }")
    lab.page.locator(".jp-Dialog button", has_text="Overwrite").click()
    said = lab.page.locator(".jp-Dialog")
    expect(said).to_contain_text("the file has changed on disk since it was opened here")
    lab.page.screenshot(path=str(Path("test-artifacts") / "edit-refused.png"))
    said.locator("button").last.click()
    assert file.read_text() == theirs
    lab.page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:reload'); }")
    lab.page.locator(".jp-Dialog button.jp-mod-accept").click()
    expect(lab.page.locator(".jp-Cell", has_text="# theirs")).to_have_count(1)
    lab.type_into("read", "import json\nimport helper  # ours")
    _save(lab)
    assert "import helper  # ours" in file.read_text()


def test_a_text_opens_as_a_notebook_and_stays_a_text(
    browser: Browser, project: Path, tmp_path: Path
) -> None:
    """With its injected cell; one edited line is one line."""
    with (
        _edit("text", project, tmp_path / "home") as said,
        _page(browser, said["url"], "text.py") as lab,
    ):
        injected = lab.page.locator(".jp-Cell", has_text="Injected by mlkit edit")
        expect(injected).to_contain_text("many = 3")
        lab.type_into("cell-1", "print( many + 1 )")
        lab.run_all()
        expect(lab.page.locator(".jp-OutputArea-output").first).to_contain_text("4")
        _save(lab)
    assert (project / "text.py").read_text() == TEXT.replace("( many )", "( many + 1 )")
