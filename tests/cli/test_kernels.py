"""`mlkit kernels`, and what the other commands say of a kernel that is kept."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlkit.notebook.kernels.kept_kernels import kept_kernels, stop_kernels
from mlkit.testing import Sketch, write_pipeline
from tests.cli.conftest import Call

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A runtime folder of the test's own; what is kept in it ends with the test."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    yield
    stop_kernels()


def test_a_kept_kernel_is_told_of_everywhere_and_ends_with_its_run(
    call: Call, tmp_path: Path
) -> None:
    """The run that fails, `runs`, `show`, their documents; `debug`; `clean`, which ends it."""
    body = "print(token, str(token))\nraise OSError(out)"
    declares = 'import mlkit\ntoken: mlkit.Secret = ""'
    sketch = Sketch(name="work", body=body, declares=declares)
    folder = write_pipeline(tmp_path / "p", sketch).parent
    secret = "a-secret-of-some-length"
    failed = call("run", folder, "--keep-failed", "30m", "--json", "-p", f"token={secret}")
    assert failed.code == 1
    (kept,) = kept_kernels()
    run_id, live = kept.run_id, f"debug {kept.run_id} work --live"
    assert live in failed.err
    assert f"kernel kept until {kept.clock}" in failed.err
    for spoken in (call("show", run_id, folder), call("runs", folder), call("kernels")):
        assert spoken.code == 0
        assert live in spoken.out + spoken.err
        assert kept.clock in spoken.out + spoken.err
    for document in (
        failed.json(),
        call("runs", folder, "--json").json(),
        call("show", run_id, folder, "--json").json(),
    ):
        assert [each["id"] for each in document["kept_kernels"]] == [kept.id]
    listed = call("kernels", "--json").json()
    assert listed["kept"] == [kept.shown()]
    opened = call("debug", run_id, "work", folder, "--live", "--no-open", "--json").json()
    assert opened["connection_file"] == kept.connection
    notebook = Path(opened["notebook"])
    assert notebook.parent.stat().st_mode & 0o077 == 0
    assert secret not in notebook.read_text()
    for path in (tmp_path / "runtime").rglob("*"):
        assert path.is_dir() or secret not in path.read_text()
    _mend(notebook)
    source = folder / "work.ipynb"
    before = source.read_text()
    taken = call("debug", run_id, "work", folder, "--take-over", "--json")
    assert taken.json() == {"notebook": str(source), "changed": True}
    assert source.read_text() == before.replace("raise OSError(out)", "open(out, 'w').close()")
    assert not call("debug", run_id, "work", folder, "--take-over", "--json").json()["changed"]
    source.write_text(before)
    late = call("debug", run_id, "work", folder, "--take-over")
    assert (late.code, "has changed on disk since" in late.err) == (2, True)
    cleaned = call("clean", folder, "--keep", "0", "--yes")
    assert cleaned.code == 0
    assert "1 run, 1 debug notebook and" in cleaned.err
    assert f"\n  debug/{notebook.parent.name}\n" in cleaned.err
    assert not notebook.parent.exists()
    assert kept_kernels() == ()


def _mend(notebook: Path) -> None:
    """Mend the cell that failed, as JupyterLab saves it: with what it shows."""
    document = json.loads(notebook.read_text())
    cell = next(c for c in document["cells"] if "raise OSError" in "".join(c["source"]))
    cell["source"] = "".join(cell["source"]).replace("raise OSError(out)", "open(out, 'w').close()")
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "tried out"}]
    notebook.write_text(json.dumps(document))


def until(holds: Callable[[], bool], seconds: float = 120) -> bool:
    """Wait for a state; whether it came."""
    end = time.monotonic() + seconds
    while not (it_does := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return it_does


def waiting(call: Call) -> list[dict[str, Any]]:
    """What waits for the next run."""
    listed = call("kernels", "--json").json()["zygotes"]
    return [each for each in listed if each["until"] is not None]


def test_a_run_leaves_what_the_next_one_begins_with_until_it_is_stopped(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is listed, told of, and gone afterwards; a run that starts no kernel starts nothing."""
    for name in ("CI", "MLKIT_NO_WARM"):
        monkeypatch.delenv(name, raising=False)
    runtime = tempfile.mkdtemp(prefix="mlkit-test-", dir="/tmp")
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    cell = "import os\nopen(out, 'w').write(str(os.getppid()))"
    folder = write_pipeline(tmp_path / "p", Sketch(name="work", body=cell)).parent

    def parent(*options: str) -> int:
        done = call("run", folder, "--json", *options)
        assert done.code == 0, done.err
        return int(Path(done.json()["stages"]["work"]["outputs"]["out"]).read_text())

    try:
        assert parent("--no-warm") > 0
        assert parent() > 0  # it is reused
        assert not list(Path(runtime).iterdir())
        found: list[dict[str, Any]] = []
        for _ in range(20):  # other tests install things meanwhile
            first = second = parent("--force")
            if not until(lambda: bool(waiting(call)), 15):
                continue
            found = waiting(call)
            second = parent("--force")
            if first == second:
                break
        assert found
        assert first == second
        assert first in {each["pid"] for each in found}
        assert all(each["is_warm"] and each["driver"] is None for each in found)
        assert all(each["memory_bytes"] for each in found)
        assert until(lambda: first in {each["pid"] for each in waiting(call)})
        assert f"process {first} waits for the next run (" in call("kernels").out
        assert f"process {first}, which forks kernels, has ended." in call("kernels", "stop").out
        assert not waiting(call)
        assert not Path(f"/proc/{first}").exists()
    finally:
        call("kernels", "stop")
        shutil.rmtree(runtime)


def test_mistakes_are_told(
    call: Call, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that is not kept, an id that is none, options that exclude each other."""
    runs = tmp_path / "runs"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # what a user keeps elsewhere stays
    call("run", words, "--runs-dir", runs)
    place = ("latest", "write", words, "--runs-dir", runs)
    wrong = {
        ("debug", *place, "--live"): "no kernel of stage 'write'",
        ("debug", *place, "--take-over"): "nothing to take over",
        ("debug", *place, "--live", "--take-over"): "--live opens",
        ("debug", *place, "--live", "-p", "many=1"): "change nothing in a kernel",
        ("kernels", "stop", "nobody"): "no kernel 'nobody' is kept",
        ("kernels", "halt"): "does not know 'halt'",
        ("run", words, "--keep-failed", "soon"): "not a duration",
        ("run", words, "--keep-failed", "1m", "--on", "airflow"): "does not go with --on",
    }
    for arguments, said in wrong.items():
        spoken = call(*arguments)
        assert (spoken.code, said in spoken.err) == (2, True), (arguments, spoken.err)
    assert call("kernels", "stop").out == "0 kernels ended.\n"
