"""The promises once more, with real kernels: a few, because each takes seconds."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mlkit import RunOptions, list_runs, plan, resume, run
from mlkit.core.record import RunRecord
from mlkit.load.parameters import Layers
from mlkit.notebook.kernels.mlkit_zygote.tried import TRIED
from mlkit.testing import Sketch, write_pipeline

pytestmark = pytest.mark.kernel

MAIN = "from mlkit.cli.main import main; main()"
IS_STOCK = """
import os
is_stock = os.environ["JPY_PARENT_PID"] == str(os.getppid())  # forked, it is the zygote's child
_ = open(out, "w").write(str(is_stock))
"""


def _run(file: Path, **parameters: object) -> RunRecord:
    return run(file, layers=Layers(), parameters=parameters, options=RunOptions(workers=2))


def test_modules_are_followed_and_secrets_hidden(tmp_path: Path) -> None:
    """A module that is imported by an imported one counts; raw output of C code is scrubbed."""
    (tmp_path / "outer.py").write_text("from inner import x\n")
    (tmp_path / "inner.py").write_text("x = 1\n")
    (tmp_path / "unused.py").write_text("x = 1\n")
    body = "import outer, os\nprint(token)\nos.system('echo raw $LEAK ' + token)"
    file = write_pipeline(
        tmp_path,
        Sketch(
            name="a",
            body=body + "\nopen(out, 'w').write(str(outer.x))",
            declares='import mlkit\ntoken: mlkit.Secret = ""',
        ),
    )
    secret = "a-secret-of-some-length"
    assert _run(file, token=secret).stages["a"].status == "succeeded"
    (tmp_path / "unused.py").write_text("x = 2\n")
    assert _run(file, token=secret).stages["a"].status == "cached"
    (tmp_path / "inner.py").write_text("x = 2\n")
    assert plan(file)["a"].reasons == ("module inner changed (inner.py)",)
    again = _run(file, token=secret)
    assert Path(again.stages["a"].outputs["out"]).read_text() == "2"
    log = tmp_path / "runs" / again.run_id / "a" / "attempts" / "1" / "log.txt"
    assert "raw" in log.read_text()
    for path in (tmp_path / "runs").rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    (tmp_path / "inner.py").write_text("x = 1\n")
    assert _run(file, token=secret).stages["a"].status == "cached"


@pytest.mark.parametrize(
    "body",
    [
        "import pandas, sklearn.ensemble, joblib, multiprocessing",
        "import os\nos.environ['MY_OWN'] = '1'\nimport matplotlib.pyplot",
        "import sys\nsys.path.insert(0, os.getcwd())\nimport pandas, xgboost",
        "class Listening:\n    def find_spec(self, *_): return None\nimport sys\n"
        "sys.meta_path.insert(0, Listening())\nimport pandas, scipy.stats",
    ],
)
@pytest.mark.long
def test_everyday_imports_are_done_in_forked_kernels(tmp_path: Path, body: str) -> None:
    """They are begun again for a reason only, which an everyday notebook does not give."""
    body = f"import os\n{body}{IS_STOCK}"
    record = _run(write_pipeline(tmp_path, Sketch(name="a", body=body)))
    log = tmp_path / "runs" / record.run_id / "a" / "attempts" / "1" / "log.txt"
    told = (record.warnings, log.read_text())
    assert Path(record.stages["a"].outputs["out"]).read_text() == "False", told
    assert not (tmp_path / "runs" / ".stock-kernels").exists()


HOOK = """
import sys
from importlib.machinery import PathFinder, SourceFileLoader
class Rewriting(SourceFileLoader):
    def exec_module(self, module):
        super().exec_module(module)
        module.REWRITTEN = True
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "pyarrow":
            return None
        spec = PathFinder.find_spec(name, path)
        spec.loader = Rewriting(spec.loader.name, spec.loader.path)
        return spec
sys.meta_path.insert(0, Finder)
"""


def test_what_may_be_imported_ahead_is_had_without_a_second_kernel(tmp_path: Path) -> None:
    """Each of these packages, with all that its own version imports."""
    sketches = [Sketch(name=f"s_{name}", body=f"import {name}{IS_STOCK}") for name in sorted(TRIED)]
    record = _run(write_pipeline(tmp_path, *sketches))
    assert record.ok
    stages = record.stages.values()
    assert {s.stage: Path(s.outputs["out"]).read_text() for s in stages} == {
        sketch.name: "False" for sketch in sketches
    }
    assert not (tmp_path / "runs" / ".stock-kernels").exists()


def test_a_hook_for_imports_reaches_what_a_package_imports(tmp_path: Path) -> None:
    """Such as those that check types: what was imported ahead has not seen it."""
    seen = "import pandas, pyarrow\nopen(out, 'w').write(str(hasattr(pyarrow, 'REWRITTEN')))"
    record = _run(write_pipeline(tmp_path, Sketch(name="a", body=HOOK + seen)))
    log = tmp_path / "runs" / record.run_id / "a" / "attempts" / "1" / "log.txt"
    assert "pandas imports pyarrow, and finds another one" in log.read_text()
    assert Path(record.stages["a"].outputs["out"]).read_text() == "True"


def test_attempts_are_isolated_deadlines_hold_and_death_is_named(tmp_path: Path) -> None:
    """One run with everything that can happen to a kernel."""
    once = {"max_retries": 1, "delay": 0}
    where = "import os\nopen('mine.txt', 'x').close()\nopen(out, 'w').write(os.getcwd())"
    file = write_pipeline(
        tmp_path,
        Sketch(name="one", body=where),
        Sketch(name="two", body=where),
        Sketch(name="late", body="import time\ntime.sleep(60)", keys={"timeout": "3s"}),
        Sketch(name="dead", body="import os\nos._exit(3)", keys={"retry": once}),
        Sketch(
            name="own",
            body="class Deep(ConnectionError): pass\nraise Deep('x')",
            keys={"retry": {**once, "on": ["OSError"]}},
        ),
    )
    record = _run(file)
    places = {Path(record.stages[n].outputs["out"]).read_text() for n in ("one", "two")}
    assert len(places) == 2
    assert not any(Path(place).exists() for place in places)
    late, dead, own = (record.stages[name] for name in ("late", "dead", "own"))
    assert late.error is not None
    assert dead.error is not None
    assert (late.error.type, dead.error.type) == ("StageTimeout", "DeadKernel")
    assert 3 <= late.seconds < 20
    assert "exit status 3" in dead.error.message
    assert (dead.attempts, own.attempts) == (2, 2)
    assert all(a.cpu_s for a in record.stages["one"].history)
    assert all(a.peak_memory_bytes for a in record.stages["one"].history)


def _marked(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARK_OF_TEST") == mark and process.pid != os.getpid():
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def _kill(tmp_path: Path, kernel: str, kills: int) -> None:
    secret = "another-secret-value"
    body = (
        "import os, time\nprint(token, flush=True)\nos.system('echo ' + token)\ntime.sleep(0.4)\n"
    )
    write = "open(out, 'w').write('x' * 50_000)"
    read = "assert len(open(a).read()) == 50_000\n"
    declares = 'import mlkit\ntoken: mlkit.Secret = ""'
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", body=body + write, declares=declares),
        Sketch(name="b", upstream=("a",), body=body + read + write, declares=declares),
    )
    chance = random.Random(kills)
    mark = f"{tmp_path.name}-{os.getpid()}"
    environ = {**os.environ, "MARK_OF_TEST": mark, "MLKIT_PARAM_TOKEN": secret}
    for _ in range(kills):
        command = [sys.executable, "-c", MAIN, "run", str(file), "--start", kernel]
        process = subprocess.Popen(
            command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.3, 4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 15
        while _marked(mark) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert _marked(mark) == []
        for path in (tmp_path / "runs").rglob("*"):
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), path
    for record in list_runs(tmp_path / "runs"):
        if record.status == "running":
            again = resume(record.run_id, file, parameters={"token": secret}, start=kernel)
            assert again.status == "succeeded"
    assert _run(file, token=secret).status == "succeeded"


@pytest.mark.parametrize("kernel", ["fork", "spawn"])
def test_no_kernel_outlives_a_killed_driver(tmp_path: Path, kernel: str) -> None:
    """Neither do secrets in what it leaves behind, and the run can be resumed."""
    _kill(tmp_path, kernel, 2)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kernel", ["fork", "spawn"])
def test_many_killed_drivers(tmp_path: Path, kernel: str) -> None:
    """The same, more often."""
    _kill(tmp_path, kernel, 20)
