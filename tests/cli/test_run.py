"""`mlkit run` from outside: one JSON document, exit codes, errors as sentences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from mlkit.testing import Sketch, chain, run_fake, write_pipeline

MAIN = "from mlkit.cli.main import main; main()"


def _mlkit(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if not k.startswith("MLKIT_")},
    )


def _document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.kernel
def test_json_holds_what_is_documented(tmp_path: Path) -> None:
    """The document of `run --json`, of a run that failed; exit code 1, and a way on."""
    file = write_pipeline(
        tmp_path, Sketch(name="good"), Sketch(name="bad", body="raise ValueError('no')")
    )
    done = _mlkit("run", str(file), "--json")
    assert done.returncode == 1, done.stderr
    document = _document(done)
    assert list(document) == ["run_id", "pipeline", "status", "seconds", "parameters", "stages"]
    assert document["status"] == "failed"
    good, bad = document["stages"]["good"], document["stages"]["bad"]
    assert set(good) == {"status", "attempts", "seconds", "outputs", "error", "reason"}
    assert (good["status"], good["attempts"], good["error"]) == ("succeeded", 1, None)
    assert Path(good["outputs"]["out"]).read_text() == "good()"
    assert bad["error"] == {"type": "ValueError", "message": "no"}
    assert f"mlkit resume {document['run_id']}" in done.stderr
    assert "mlkit debug" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_in_which_nothing_changed_imports_nothing_heavy(tmp_path: Path) -> None:
    """Neither run nor plan: no pandas, scikit-learn, Papermill, MLflow, nbformat, or kernels."""
    file = chain(tmp_path, 2)
    run_fake(file)
    heavy = (
        *("pandas", "sklearn", "papermill", "mlflow", "nbformat", "nbclient", "apprise"),
        *("jupyter_client", "zmq", "asyncio", "random", "statistics", "ctypes", "logging"),
        *("zoneinfo", "importlib.metadata", "mlkit.notebook.kernels.zygote"),
    )
    # Of mlkit itself: what only an attempt, a sweep, a schedule or a server has use for.
    ours = (
        *("mlkit.driver.attempt", "mlkit.driver.written_outputs", "mlkit.driver.tracked"),
        *("mlkit.driver.interval_before", "mlkit.core.past", "mlkit.core.progress"),
        *("mlkit.core.search_space", "mlkit.store.sweeps", "mlkit.core.early_stopping"),
        *("mlkit.notebook.stock", "mlkit.notebook.foreign"),
        *("mlkit.notebook.kernels.warm_zygotes", "mlkit.notebook.kernels.zygotes"),
        *("mlkit.observe.tracker", "mlkit.observe.telemetry", "mlkit.engines.export"),
    )
    assert [name for name in (*heavy, *ours) if find_spec(name) is None] == []
    program = (
        "import sys\nfrom mlkit.cli.main import main\n"
        "left_out = sys.argv.pop().split()\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "found = [m for m in left_out if m in sys.modules]\n"
        "sys.exit(f'imported: {found}' if found else 0)\n"
    )
    for command, left_out in (("plan", heavy), ("run", (*heavy, *ours))):
        done = subprocess.run(
            [sys.executable, "-c", program, command, str(file), " ".join(left_out)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["run", "{file}", "--only", "s9"], "there is no stage 's9'"),
        (["run", "{file}", "-p", "rwos=1"], "rwos"),
        (
            ["run", "{file}", "--start", "thread"],
            "'thread' is not one of 'fork', 'spawn'",
        ),
        (["run", "{file}", "--only", "s2"], "has no result that can be reused"),
        (["run", "{file}", "--only", "s2", "--run-id", "r"], "has not run"),
        (["run", "nowhere/pipeline.yaml"], "nowhere"),
        (["resume", "nonsense", "{file}"], "there is no run 'nonsense'"),
        (["plan", "{file}", "--until", "s9"], "there is no stage 's9'"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_2(
    tmp_path: Path, arguments: list[str], fact: str
) -> None:
    """As text on stderr, and with --json as one document on stdout."""
    file = str(chain(tmp_path, 2))
    given = [word.replace("{file}", file) for word in arguments]
    done = _mlkit(*given, "--json", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    error = _document(done)["error"]
    assert list(error) == ["message", "file", "line", "remedy", "code"]
    assert f"[{error['code']}]" in done.stderr
    assert fact in f"{error['message']} {error['file']}"
    assert error["message"] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.kernel
def test_exit_codes_of_a_stage_in_a_joined_run(tmp_path: Path) -> None:
    """0 done or reused, 1 failed, 99 skipped, 2 an upstream artifact is missing."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="good"),
        Sketch(name="bad", body="1/0"),
        Sketch(name="none", file="", body="import mlkit; mlkit.skip('no')"),
        Sketch(name="reader", upstream=("bad",)),
    )
    codes = {}
    for stage in ("good", "bad", "none", "reader"):
        codes[stage] = _mlkit("run", str(file), "--only", stage, "--run-id", "r").returncode
    assert codes == {"good": 0, "bad": 1, "none": 99, "reader": 2}
    assert _mlkit("run", str(file), "--only", "good", "--run-id", "r").returncode == 0
