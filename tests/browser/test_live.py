"""A stage that failed after work, in a real browser: attached, mended, its last cell run, saved."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from mlkit import RunOptions, run
from mlkit.load.parameters import Layers
from mlkit.notebook.kernels.kept_kernels import kept_kernels, stop_kernels
from mlkit.testing import Sketch, write_pipeline
from tests.browser.lab import NOISE, shot

pytestmark = [pytest.mark.browser, pytest.mark.kernel]

ATTACHED = """() => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  return kernel?.status === 'idle' && kernel.connectionStatus === 'connected'
    && panel.content.activeCellIndex > 0;
}"""
MEND = """() => {
  const cell = window.jupyterapp.shell.currentWidget.content.activeCell;
  cell.model.sharedModel.setSource('result = 10 / (divisor or 2)');
}"""
RESTART = """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()
  .then(() => 'it was restarted', error => error.message)"""
RESOLVE = """async () => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const { baseUrl } = kernel.serverSettings;
  return (await fetch(`${baseUrl}api/resolvePath?path=x.py&kernel=${kernel.id}`)).status;
}"""
SETTINGS = "@jupyterlab/apputils-extension"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folders of the test's own for Jupyter; what is kept there ends with the test."""
    home = tmp_path / "home"
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(home / name.lower()))
    (home / "settings" / SETTINGS).mkdir(parents=True)
    news = home / "settings" / SETTINGS / "notification.jupyterlab-settings"
    news.write_text('{"fetchNews": "false"}')
    monkeypatch.setenv("JUPYTERLAB_SETTINGS_DIR", str(home / "settings"))
    yield home
    stop_kernels()


def test_a_failed_stage_is_gone_on_in(browser: Browser, home: Path, tmp_path: Path) -> None:
    """At the failed cell, with the variables of the first; the source takes what was mended."""
    cells = (
        "import time\ntime.sleep(1)\nrows = list(range(1000))",
        "result = 10 / divisor",
        'open(out, "w").write(str(result))\nprint("written", len(rows))',
    )
    sketch = Sketch(name="work", declares="divisor: int = 0", body=cells[0])
    file = write_pipeline(tmp_path / "p", sketch)
    source = tmp_path / "p" / "work.ipynb"
    document = json.loads(source.read_text())
    body = next(cell for cell in document["cells"] if cells[0] in "".join(cell["source"]))
    more = [{**body, "id": f"more-{n}", "source": text} for n, text in enumerate(cells[1:])]
    document["cells"] += more
    source.write_text(json.dumps(document, indent=1) + "\n")
    before = source.read_text()
    record = run(file, layers=Layers(), options=RunOptions(keep_failed="10m"))
    (kept,) = kept_kernels()
    words = [sys.executable, "-m", "mlkit", "debug", record.run_id, "work", str(file)]
    with (tmp_path / "log.txt").open("w") as log:
        server = subprocess.Popen(
            [*words, "--live", "--json"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    context = browser.new_context(viewport={"width": 1000, "height": 500})
    page, errors = context.new_page(), []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    try:
        assert server.stdout is not None
        told = ""
        while not told.rstrip().endswith("}"):
            line = server.stdout.readline()
            assert line, (tmp_path / "log.txt").read_text()
            told += line
        page.goto(json.loads(told)["url"])
        page.wait_for_function(ATTACHED, timeout=60_000)
        page.evaluate(MEND)
        page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell-and-select-next')")
        page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")
        expect(page.locator(".jp-OutputArea-output").last).to_contain_text("written 1000")
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        live = Path(json.loads(told)["notebook"])
        deadline = time.monotonic() + 30
        while "written 1000" not in live.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        page.screenshot(path=str(shot("live-kernel")))
        assert [text for text in errors if text not in NOISE] == []
        assert "kept as it stood when its stage failed" in page.evaluate(RESTART)
        assert page.evaluate(RESOLVE) == 200
    finally:
        context.close()
        _end(server)
    assert kept_kernels() == (kept,), "the kernel outlives JupyterLab"
    assert source.read_text() == before
    subprocess.run([*words, "--take-over"], check=True, env=dict(os.environ))
    assert source.read_text() == before.replace("10 / divisor", "10 / (divisor or 2)")


def _end(server: subprocess.Popen[str]) -> None:
    """End it as people do: by Ctrl-C, once."""
    server.send_signal(signal.SIGINT)
    try:
        assert server.wait(30) == 0
    finally:
        server.kill()
        server.wait()
