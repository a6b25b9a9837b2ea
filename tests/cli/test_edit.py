"""`mlkit edit`: the server, the kernel of the stage behind it, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from mlkit.testing import Sketch, write_pipeline
from tests.cli.conftest import Call
from tests.documents import check_document

SECRET = "s3cret-value"
BODY = """import json, os, sys
from pathlib import Path
import helper_of_mine
Path(out).write_text(helper_of_mine.WORD)
Path("left").touch()
print(json.dumps({
    "token": str(token), "shown": repr(token), "seed": os.environ["PYTHONHASHSEED"],
    "place": os.environ["PLACE"], "first": sys.path[0], "cwd": os.getcwd(),
    "read": Path(up).read_text(), "which": which, "stage": os.environ["MLKIT_STAGE"],
    "python": sys.executable,
}))"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mapped stage with a secret, behind another stage, and a module beside them."""
    folder = tmp_path_factory.mktemp("größe [x]")
    (folder / "helper_of_mine.py").write_text("WORD = 'made'\n")
    write_pipeline(
        folder,
        Sketch(name="up"),
        Sketch(
            name="work",
            upstream=("up",),
            body=BODY,
            declares='import mlkit\nwhich: str = ""\ntoken: mlkit.Secret = ""',
            keys={
                "foreach": {"which": ["a", "b"]},
                "parameters": {"token": "${MY_TOKEN}"},
                "env": {"PLACE": "here"},
            },
        ),
    )
    return folder


@pytest.fixture(scope="module")
def edit(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`mlkit edit 'work[b]'`, as a process of its own; it ends with Ctrl-C and leaves nothing."""
    home = tmp_path_factory.mktemp("home")
    own = {f"JUPYTER_{n}_DIR": str(home / n.lower()) for n in ("CONFIG", "DATA", "RUNTIME")}
    env = {**os.environ, **own, "MY_TOKEN": SECRET, "TMPDIR": str(home)}
    command = [sys.executable, "-m", "mlkit", "edit", "work[b]", str(project), "--json"]
    log = home / "log.txt"
    with log.open("w") as told:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True, env=env)
        assert process.stdout is not None
        said = ""
        while not said.endswith("\n}\n") and (line := process.stdout.readline()):
            said += line
        try:
            document = json.loads(said)
            check_document("edit", document)
            yield {**document, "runtime": home / "runtime", "log": log}
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(60)
            process.stdout.close()
    assert code == 0, log.read_text()
    assert not list(home.glob("mlkit-edit-*"))
    assert SECRET not in log.read_text()
    assert "Traceback" not in log.read_text()


def _ask(edit: dict[str, Any], where: str, **body: Any) -> Any:
    """Ask the server, as JupyterLab does."""
    parts = urlsplit(edit["url"])
    token = parse_qs(parts.query)["token"][0]
    request = urllib.request.Request(
        f"{parts.scheme}://{parts.netloc}/api/{where}",
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"token {token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or "null")


def _wait_for(client: BlockingKernelClient) -> None:
    """Wait for a kernel; on a busy machine its heart skips a beat while it imports."""
    for left in range(20, -1, -1):
        try:
            client.wait_for_ready(timeout=60)
        except RuntimeError:
            if not left:
                raise
            time.sleep(1)
        else:
            return


def _run(edit: dict[str, Any], kernel: str, code: str) -> str:
    """Run code on a kernel of the server; gives what it prints."""
    client = BlockingKernelClient()
    client.load_connection_file(str(edit["runtime"] / f"kernel-{kernel}.json"))
    client.start_channels()
    printed: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    try:
        _wait_for(client)
        reply = client.execute_interactive(code, output_hook=hear, timeout=60)
    finally:
        client.stop_channels()
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(printed)


@pytest.mark.kernel
def test_it_runs_as_in_the_pipeline_and_leaves_no_trace(
    edit: dict[str, Any], project: Path
) -> None:
    """Parameters, inputs, secret, environment, search path and folder are those of an attempt."""
    sent = _ask(edit, "contents/work.ipynb")["content"]
    code = "\n".join(c["source"] for c in sent["cells"] if c["cell_type"] == "code")
    assert SECRET not in json.dumps(sent)
    before = {path for path in project.rglob("*") if path.is_file()}
    session = _ask(
        edit,
        "sessions",
        path="work.ipynb",
        name="work.ipynb",
        type="notebook",
        kernel={"name": sent["metadata"]["kernelspec"]["name"]},
    )
    told = json.loads(_run(edit, session["kernel"]["id"], code))
    assert told == {
        "token": SECRET,
        "shown": "Secret('***')",
        "seed": "0",
        "place": "here",
        "first": str(project),
        "cwd": edit["working_folder"],
        "read": "up()",
        "which": "b",
        "stage": "work[b]",
        "python": sys.executable,
    }
    working = Path(edit["working_folder"])
    assert (working / "left").exists()
    assert [p.read_text() for p in (working.parent / "out").iterdir()] == ["made"]
    _ask(edit, f"kernels/{session['kernel']['id']}/restart", restart=True)
    assert not list(working.iterdir())
    assert {path for path in project.rglob("*") if path.is_file()} == before


@pytest.mark.kernel
def test_other_notebooks_of_the_folder_start_as_ever(edit: dict[str, Any], project: Path) -> None:
    """In their own folder, without the stage's environment."""
    session = _ask(
        edit, "sessions", path="up.ipynb", name="up.ipynb", type="notebook",
        kernel={"name": "python3"},
    )  # fmt: skip
    code = "import os; print(os.getcwd(), os.environ.get('MLKIT_STAGE'))"
    assert _run(edit, session["kernel"]["id"], code) == f"{project} None\n"
    assert len(_ask(edit, "contents/up.ipynb")["content"]["cells"]) == 2


def test_a_stage_that_is_not_there_is_told_at_once(call: Call, project: Path) -> None:
    """With what was probably meant; nothing runs."""
    spoken = call("edit", "wrk", project)
    assert spoken.code == 2
    assert "there is no stage 'wrk'" in spoken.err
    assert "Did you mean 'work'?" in spoken.err


def test_a_failure_upstream_ends_it(call: Call, tmp_path: Path) -> None:
    """Before any server begins, and with the next command."""
    broken = write_pipeline(
        tmp_path, Sketch(name="up", body="raise ValueError('no rows')"),
        Sketch(name="work", upstream=("up",)),
    )  # fmt: skip
    spoken = call("edit", "work", broken, "--json")
    assert spoken.code == 1
    assert "stage 'up' failed, and 'work' needs it: no rows" in spoken.json()["error"]["message"]
    assert spoken.json()["error"]["remedy"] == "'mlkit edit up' opens that one"
