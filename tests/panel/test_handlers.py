"""The panel's server extension, asked as its page asks: below a base URL, with a token."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from mlkit.engines.local_server import free_port
from mlkit.load.pipeline_file import load_pipeline
from tests.panel.words import PIPELINE, make_words

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(240)]
HERE = "words/pipeline.yaml"


@dataclass
class Server:
    """A Jupyter server with the extension, and the folder that it shows."""

    address: str
    token: str
    root: Path

    def ask(self, name: str, sent: dict[str, Any] | None = None, **headers: str) -> Any:
        """Ask, and give the answer; an error's, too."""
        request = urllib.request.Request(
            f"{self.address}mlkit/api/{name}",
            data=None if sent is None else json.dumps(sent).encode(),
            headers=headers or {"Authorization": f"token {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return {"status": error.code, **json.load(error)}

    def follow(self, before: dict[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
        """Wait for news, on top of what was known."""
        known = before or {}
        seen: dict[str, Any] = {
            key: known[key] for key in ("epoch", "tag", "number") if key in known
        }
        found = self.ask("follow", {"path": HERE, "wait": 20, **seen, **asked})
        return {**known, **found}

    def follow_until(self, known: dict[str, Any], holds: Any, **asked: Any) -> dict[str, Any]:
        """Wait until something is told."""
        end = time.monotonic() + 120
        while not holds(known):
            assert time.monotonic() < end, known
            known = self.follow(known, **asked)
        return known


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of one's own behind a prefix, as a hub gives each user."""
    home, root = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("workspace")
    make_words(root / "words")
    (root / "words" / "runs").mkdir()
    (root / "words" / "runs" / "pipeline.yaml").write_text("no pipeline of a person")
    port, token = free_port(), secrets.token_hex(16)
    folders = {f"JUPYTER_{n}_DIR": str(home / n.lower()) for n in ("CONFIG", "DATA", "RUNTIME")}
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", f"--port={port}"),
        *(f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}"),
        *("--ServerApp.base_url=/user/ann/", "--ServerApp.port_retries=0"),
        '--ServerApp.jpserver_extensions={"mlkit.panel": True}',
        *(["--allow-root"] if os.geteuid() == 0 else []),
    ]
    address = f"http://127.0.0.1:{port}/user/ann/"
    with (home / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **folders}, start_new_session=True
        )
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end and process.poll() is None:
                with suppress(OSError), urllib.request.urlopen(f"{address}api", timeout=5):
                    break
                time.sleep(0.1)
            yield Server(address=address, token=token, root=root)
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_pipeline_is_followed_from_its_first_look_to_the_end_of_its_run(server: Server) -> None:
    """What it is, what would run and why; then its run, started anywhere; then the new plan."""
    assert server.ask("pipelines") == {"pipelines": [HERE]}
    known = server.follow()
    assert list(known["pipeline"]["stages"]) == ["write", "count"]
    assert known["pipeline"]["stages"]["count"]["inputs"] == {"words": "write.words"}
    assert known["pipeline"]["profiles"] == ["big"]
    assert {row["id"]: row["action"] for row in known["plan"]["stages"]} == {
        "write": "run",
        "count": "run",
    }
    assert known["run"] is None
    assert 'data-pick="count"' in known["picture"]

    assert server.ask("start", {"path": HERE, "parameters": {"many": "5"}}) == {"started": "run"}
    refused = server.ask("start", {"path": HERE})
    assert refused["error"]["message"] == "'mlkit run' goes on with this pipeline"
    known = server.follow_until(known, lambda k: k["run"] and k["run"]["status"] != "running")
    assert known["run"]["status"] == "succeeded", known["run"]
    assert known["run"]["said"].startswith("✓ succeeded after")
    assert "state-succeeded" in known["picture"]
    reuse = {"many": "5"}
    known = server.follow_until(
        known,
        lambda k: k["plan"] and all(row["action"] == "reuse" for row in k["plan"]["stages"]),
        parameters=reuse,
    )
    run_id = known["run"]["run_id"]
    detail = server.ask(f"stage?path={HERE}&run={run_id}&stage=count")
    assert not detail["kept"]
    assert 'data-commandlinker-command="docmanager:open"' in detail["html"]
    table = server.ask(f"runs?path={HERE}")
    assert table["count"] == 1
    assert f'data-compare="{run_id}"' in table["html"]
    report = server.ask(f"report?path={HERE}&run={run_id}")["html"]
    assert f"Run {run_id} of pipeline words succeeded" in " ".join(report.split())
    gone = server.ask(f"report?path={HERE}&run=2020")["error"]["message"]
    assert "2020" in gone
    one = server.ask(f"compare?path={HERE}&run={run_id}")
    assert one["error"]["message"] == "a comparison needs two runs"


def test_a_run_from_a_terminal_is_told_within_a_second_of_its_first_event(server: Server) -> None:
    """And it is cancelled here as it would be there, by Ctrl-C."""
    known = server.follow()
    command = [sys.executable, "-m", "mlkit", "run", str(server.root / "words"), "-p", "slow=3"]
    terminal = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = known["run"] and known["run"]["run_id"]
    known = server.follow_until(known, lambda k: k["run"] and k["run"]["run_id"] != before)
    late_s = time.time() - known["run"]["started"]
    assert known["run"]["status"] == "running"
    assert late_s < 1.0 + 2.0 * ("CI" in os.environ), late_s
    asked = {"path": HERE, "run": known["run"]["run_id"]}
    assert server.ask("cancel", asked) == {"cancelled": True}
    known = server.follow_until(known, lambda k: k["run"]["status"] != "running")
    assert known["run"]["status"] == "cancelled"
    assert terminal.wait(30) == 130
    refused = server.ask("cancel", asked)
    assert "does not go on any more" in refused["error"]["message"]


def test_a_save_is_answered_with_the_plan_or_with_what_is_wrong_and_where(server: Server) -> None:
    """The picture stays as it was while the file is wrong."""
    file = server.root / HERE
    known = server.follow()
    file.write_text(PIPELINE.replace("write.words", "write.wrds"))
    known = server.follow_until(known, lambda k: k["problem"])
    problem = known["problem"]
    assert (problem["path"], problem["line"]) == (HERE, 12)
    assert "words" in problem["remedy"] or "words" in problem["message"]
    assert 'data-pick="count"' in known["picture"]
    began = time.monotonic()
    file.write_text(PIPELINE.replace("many: 3", "many: 4"))
    known = server.follow_until(known, lambda k: k["problem"] is None and k["plan"])
    assert time.monotonic() - began < 5
    assert [f["value"] for f in known["pipeline"]["fields"] if f["name"] == "many"] == ["4"]
    file.write_text(PIPELINE)


def test_a_mistake_in_the_form_is_told_as_one(server: Server) -> None:
    """Nobody who fills in a field has written a command line."""
    known = server.follow(parameters={"many": "lots"})
    said = known["problem"]["message"]
    assert "'lots' is not an int (the panel's form)" in said
    known = server.follow(parameters={"many": "[1"})
    assert known["problem"]["message"].startswith("the field 'many': '[1' is not valid YAML")


def test_a_run_is_cancelled_and_resumed_and_a_mistake_is_told_before_anything_runs(
    server: Server,
) -> None:
    """As on a command line: the value of a parameter is read there."""
    known = server.follow()
    server.ask("start", {"path": HERE, "parameters": {"slow": "60"}, "keep_failed": True})
    known = server.follow_until(
        known, lambda k: k["run"] and any(s["status"] == "running" for s in k["run"]["stages"])
    )
    assert server.ask("cancel", {"path": HERE}) == {"cancelled": True}
    known = server.follow_until(known, lambda k: k["run"]["status"] == "cancelled")
    known = server.follow_until(known, lambda k: not k["job"]["running"])
    assert known["job"]["error"] is None
    server.ask("start", {"path": HERE, "parameters": {"many": "lots"}})
    known = server.follow_until(known, lambda k: k["job"]["error"])
    assert "many" in known["job"]["error"]["message"]


def test_nobody_else_is_answered(server: Server) -> None:
    """Without the token, with another page's request, and for files outside of the workspace."""
    assert server.ask("pipelines", None, Accept="*/*")["status"] == 403
    assert server.ask("start", {"path": HERE}, Accept="*/*")["status"] == 403
    cookies = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    browser.open(f"{server.address}api/kernels?token={server.token}").close()
    assert cookies, "the server knows the browser from now on"
    browser.open(f"{server.address}mlkit/api/pipelines").close()
    forged = urllib.request.Request(
        f"{server.address}mlkit/api/start", json.dumps({"path": HERE}).encode()
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        browser.open(forged)
    for path in ("../words/pipeline.yaml", "words/../../x", ""):
        assert "below the folder" in server.ask("follow", {"path": path})["error"]["message"]


def test_a_notebook_knows_its_stage(server: Server) -> None:
    """By the pipeline.yaml of its folder; other notebooks are no stages."""
    found = server.ask("notebook?path=words/count.ipynb")["stage"]
    assert (found["pipeline"], found["stage"]) == (HERE, "count")
    assert found["inputs"] == {"words": "write.words"}
    assert server.ask("notebook?path=words/other.ipynb") == {"stage": None}


def test_what_is_drawn_is_written_or_refused_and_undone(server: Server) -> None:
    """Three stages are added, wired and renamed; at the end the file is as it was."""
    file = server.root / HERE

    def draw(what: str, **how: Any) -> dict[str, Any]:
        found: dict[str, Any] = server.ask("draw", {"path": HERE, "do": what, **how})
        return found

    draw("add", name="clean", inputs=["write.words"], outputs=["cleaned.json"])
    draw("add", name="show", inputs=["clean.cleaned"], outputs=["shown.json"])
    assert draw("wire", stage="show", input="cleaned", source="write.words") == {"undo": 3}
    assert draw("rename", stage="write", name="make") == {"undo": 4}
    added = """\
  clean:
    notebook: clean.ipynb
    inputs: {words: make.words}
    outputs: {cleaned: cleaned.json}
  show:
    notebook: show.ipynb
    inputs: {cleaned: make.words}
    outputs: {shown: shown.json}
"""
    renamed = PIPELINE.replace("write:", "make:").replace("write.words", "make.words")
    assert file.read_text() == renamed + added
    assert list(load_pipeline(file).stages) == ["make", "count", "clean", "show"]
    refused = draw("delete", stage="make")["error"]
    assert (refused["path"], "which does not exist" in refused["message"]) == (HERE, True)
    assert file.read_text() == renamed + added
    assert draw("delete", stage="show") == {"undo": 5}
    for left in (4, 3, 2, 1):
        assert draw("undo") == {"undo": left}
    file.write_text(file.read_text() + "# by hand\n")
    assert "has changed since" in draw("undo")["error"]["message"]
    file.write_text(file.read_text().removesuffix("# by hand\n"))
    assert draw("undo") == {"undo": 0}
    assert file.read_text() == PIPELINE
    assert {path.name for path in file.parent.glob("*.ipynb")} == {"write.ipynb", "count.ipynb"}
