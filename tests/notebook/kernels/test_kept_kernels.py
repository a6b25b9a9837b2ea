"""A failed attempt's kernel that is kept: who holds it, who finds it, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_core.paths import jupyter_runtime_dir

from mlkit import RunOptions, run
from mlkit.core.kept_kernel import KeptKernel
from mlkit.core.record import RunRecord
from mlkit.errors import UsageError
from mlkit.load.parameters import Layers
from mlkit.notebook.kernels.kept_kernels import kept_kernels, kept_place, stop_kernels
from mlkit.notebook.kernels.warden import holders
from mlkit.testing import Sketch, write_pipeline

pytestmark = pytest.mark.kernel

BODY = """rows = list(range(1000))
import subprocess
child = subprocess.Popen(["sleep", "300"])
open("beside", "w").write("made")
result = 10 / divisor
open(out, "w").write(str(result))"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of the test's own; what is kept in it ends with the test."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    yield kept_place()
    stop_kernels()


def broken(folder: Path, body: str = BODY, **keys: Any) -> Path:
    """A pipeline whose stage fails by its parameter, after work."""
    sketch = Sketch(name="work", declares="divisor: int = 0", body=body, keys=keys)
    return write_pipeline(folder, sketch)


def start(file: Path, how: str = "fork", keep: str = "5m", **parameters: Any) -> RunRecord:
    """Run it, and keep what fails."""
    options = RunOptions(workers=2, start=how, keep_failed=keep)  # type: ignore[arg-type] # one of two
    return run(file, layers=Layers(), parameters=parameters, options=options)


def ask(kept: KeptKernel, *cells: str) -> str:
    """Execute cells on a kept kernel; what they print."""
    client = BlockingKernelClient(connection_file=kept.connection)
    client.load_connection_file()
    client.start_channels()
    printed: list[str] = []

    def take(message: dict[str, Any]) -> None:
        content = message["content"]
        printed.append(content.get("text") or content.get("ename") or "")

    try:
        client.wait_for_ready(timeout=30)
        for cell in cells:
            client.execute_interactive(cell, output_hook=take, timeout=30)
    finally:
        client.stop_channels()
    return "".join(printed).strip()


def until(holds: Callable[[], bool], limit_s: float = 20) -> bool:
    """Wait until something holds."""
    deadline = time.monotonic() + limit_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def is_gone(kept: KeptKernel) -> bool:
    """Whether nothing of it is left: no process that carries its mark, none of its folders."""
    left = (kept.sockets, kept.folder, str(Path(kept.connection).parents[1]))
    return not any(map(os.path.exists, left)) and not list(holders(kept.token))


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_a_kept_kernel_has_everything_and_makes_no_artifact(tmp_path: Path, how: str) -> None:
    """It is mended and goes on without the first cells; neither record nor store gets any of it."""
    file = broken(tmp_path)
    record = start(file, how)
    (kept,) = kept_kernels()
    assert (kept.run_id, kept.stage, kept.attempt) == (record.run_id, "work", 1)
    assert kept.error == "ZeroDivisionError"
    assert 290 < kept.until - time.time() <= 300
    assert Path(kept.connection).parents[1].parent == kept_place()
    assert ask(kept, "print(len(rows), child.poll(), open('beside').read())") == "1000 None made"
    attempts = tmp_path / "runs" / record.run_id / "work" / "attempts" / "1"
    before = {path: path.read_bytes() for path in attempts.iterdir()}
    said = ask(
        kept,
        "result = 5",
        "import os; os.environ['OMP_NUM_THREADS'] = '1'",  # begins a forked attempt anew, in a run
        "import mlkit; mlkit.log_metric('auc', 1)",
        "open(out, 'w').write(str(result)); print(open(out).read())",
    )
    assert said == "5"
    assert {path: path.read_bytes() for path in attempts.iterdir()} == before
    again = start(file, divisor=5)
    assert Path(again.stages["work"].outputs["out"]).read_text() == "2.0"
    assert again.stages["work"].metrics == {}
    assert until(lambda: is_gone(kept)), "the stage has succeeded"
    assert kept_kernels() == ()


def test_at_most_two_are_kept_and_only_of_the_last_attempt(tmp_path: Path) -> None:
    """The oldest ends first; an attempt that is tried again leaves none."""
    body = "raise OSError(out)"
    sketches = [Sketch(name=name, body=body) for name in ("a", "b")]
    retried = Sketch(name="c", body=body, keys={"retry": {"max_retries": 1, "delay": 0}})
    file = write_pipeline(tmp_path, *sketches, retried)
    options = RunOptions(workers=1, keep_failed="1h")
    run(file, layers=Layers(), options=options)
    assert [(kept.stage, kept.attempt) for kept in kept_kernels()] == [("b", 1), ("c", 2)]
    assert len(list((tmp_path / "runs").glob("*/.live/*"))) == 2
    (ended, other) = kept_kernels()
    os.kill(ended.keeper, signal.SIGKILL)
    assert until(lambda: is_gone(ended)), "a kernel ends with its keeper"
    assert kept_kernels() == (other,)
    assert stop_kernels() == (other,)
    assert is_gone(other)


def test_a_killed_run_leaves_the_kept_kernel_and_nothing_else(tmp_path: Path, place: Path) -> None:
    """The run ends by SIGKILL while another stage works."""
    work = Sketch(name="work", body="raise OSError(out)")
    busy = Sketch(name="busy", body="import time\nopen(out, 'w').close()\ntime.sleep(300)")
    file = write_pipeline(tmp_path, work, busy)
    command = [sys.executable, "-m", "mlkit", "run", str(file), "--keep-failed", "5m"]
    with (tmp_path / "said").open("wb") as said:
        driver = subprocess.Popen([*command, "--workers", "2"], stdout=said, stderr=said)

    def has_failed() -> bool:
        events = tmp_path.glob("runs/*/events.jsonl")
        return any('"attempt_finished"' in each.read_text() for each in events)

    assert until(has_failed, 60), (tmp_path / "said").read_text()
    (kept,) = kept_kernels()  # and handed over by now
    driver.kill()
    driver.wait()
    token = kept.token.partition(".")[0]
    # Both are asked each time: a process of its own may just have ended.
    assert until(lambda: set(holders(token)) == set(holders(kept.token)))
    assert set(holders(kept.token))
    assert ask(kept, "print(type(out).__name__)") == "str"
    assert stop_kernels() == (kept,)
    assert is_gone(kept)


@pytest.mark.long
def test_after_a_timeout_only_an_obeyed_interrupt_leaves_a_kernel(tmp_path: Path) -> None:
    """A kernel that has died, or would not stop, is none; the run says so."""
    obeys = broken(tmp_path / "a", "import time\nleft = 3\ntime.sleep(300)", timeout=4)
    start(obeys)
    (kept,) = kept_kernels()
    assert ask(kept, "print(left)") == "3"
    deaf = (
        "import time\nwhile True:\n    try:\n        time.sleep(300)\n"
        "    except KeyboardInterrupt:\n        pass"
    )
    record = start(broken(tmp_path / "b", deaf, timeout=4))
    assert "was not kept: it did not heed the interrupt" in record.warnings[0]
    record = start(broken(tmp_path / "c", "import os, signal\nos.kill(os.getpid(), 9)"))
    assert "was not kept: it has died, and its variables with it" in record.warnings[0]
    assert kept_kernels() == (kept,)
    record = start(broken(tmp_path / "d", "left = 4"))
    assert record.stages["work"].error is not None
    assert [each.error for each in kept_kernels()] == ["StageTimeout", "MissingOutput"]
    assert ask(kept_kernels()[1], "print(left)") == "4"


def test_a_folder_that_others_can_reach_is_refused(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything runs; all who may read the folder would have the kernel."""
    place.mkdir(parents=True, mode=0o755)
    place.chmod(0o755)
    with pytest.raises(UsageError, match=r"is open to others \(mode 0755\)"):
        start(broken(tmp_path))
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("2*"))
    place.chmod(0o700)
    with monkeypatch.context() as changed:  # only root can give a folder away
        other = os.geteuid() + 1
        changed.setattr(os, "geteuid", lambda: other)
        with pytest.raises(UsageError, match="belongs to somebody else"):
            kept_kernels()
    place.rmdir()
    place.symlink_to(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        start(broken(tmp_path))
    place.unlink()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"executor": "dask://h:1"}, "cluster"),
        ({"run_id": "x", "only": "work"}, "--run-id"),
        ({"keep_failed": "long"}, "not a duration"),
        ({"keep_failed": "0"}, "keeps nothing"),
    ],
)
def test_what_no_kernel_can_be_kept_of_is_refused(options: dict[str, str], said: str) -> None:
    """With a sentence, before anything begins."""
    with pytest.raises(UsageError, match=said):
        RunOptions(**{"keep_failed": "30m", **options})  # type: ignore[arg-type] # texts


def test_the_folder_is_where_jupyter_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says of that place."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert kept_place().parent == Path(jupyter_runtime_dir())
    monkeypatch.setenv("JUPYTER_DATA_DIR", "/a/b")
    assert kept_place().parent == Path(jupyter_runtime_dir())


def test_json_of_a_kept_kernel_is_read_again(tmp_path: Path) -> None:
    """A round trip; what leads to the kernel is not shown."""
    start(broken(tmp_path))
    (kept,) = kept_kernels()
    assert KeptKernel.from_json(json.loads(json.dumps(kept.to_json()))) == kept
    assert not {"connection", "token", "keeper"} & kept.shown().keys()
