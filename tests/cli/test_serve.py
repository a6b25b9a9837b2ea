"""`mlkit serve`, as a process of its own on the machine's clock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mlkit.testing import Sketch, write_pipeline
from tests.documents import check_document

MAIN = "from mlkit.cli.main import main; main()"
BODY = """import time
from pathlib import Path
Path(began).touch()
time.sleep(300)
Path(out).write_text(logical_date)"""


Serve = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A pipeline that is due every minute, and takes longer."""
    declares = f'logical_date: str = ""\nbegan: str = {str(tmp_path / "began")!r}'
    sketch = Sketch(name="slow", body=BODY, declares=declares)
    return write_pipeline(tmp_path, sketch, schedule="* * * * *")


@pytest.fixture
def serve(file: Path, tmp_path: Path) -> Iterator[Serve]:
    """Start the server; what it tells stands in `told.txt`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLKIT_")}
    environment["MLKIT_NO_WARM"] = "1"  # what is left for the next run would be left here
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        with (tmp_path / "told.txt").open("w") as told:
            process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "serve", str(file), "--json", *options],
                stdout=subprocess.PIPE,
                stderr=told,
                text=True,
                env=environment,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def _until(told: Path, words: str, seconds: float) -> str:
    """Wait until a text has been told."""
    deadline = time.monotonic() + seconds
    while words not in (text := told.read_text()):
        assert time.monotonic() < deadline, text
        time.sleep(0.1)
    return text


def _until_begun(tmp_path: Path) -> None:
    deadline = time.monotonic() + 100
    while not (tmp_path / "began").exists():
        assert time.monotonic() < deadline, (tmp_path / "told.txt").read_text()
        time.sleep(0.1)


@pytest.mark.kernel
@pytest.mark.timeout(200)
def test_it_runs_survives_and_ends_in_order(file: Path, serve: Serve, tmp_path: Path) -> None:
    """Next times; a run; a broken edit; SIGTERM cuts the run short, exit code 130.

    The first run is due at once (`--catch-up`): nobody waits for a full minute.
    """
    told = tmp_path / "told.txt"
    served = serve("--catch-up")
    _until(told, "runs on the schedule * * * * * (UTC). Next runs:", 40)
    _until_begun(tmp_path)
    good = file.read_text()
    file.write_text(good + "  broken: [")
    _until(told, f"pipeline.yaml cannot be used as it is now: {file}:", 30)
    file.write_text(good)
    _until(told, "pipeline.yaml has changed", 30)
    children = psutil.Process(served.pid).children(recursive=True)
    served.send_signal(signal.SIGTERM)
    out, _ = served.communicate(timeout=90)
    assert served.returncode == 130, told.read_text()
    document = json.loads(out)
    check_document("serve", document)
    assert list(document) == ["pipeline", "schedule", "timezone", "intervals"]
    assert [item["status"] for item in document["intervals"]] == ["cancelled"]
    assert "Traceback" not in told.read_text()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_run_begins_at_the_full_minute(serve: Serve, tmp_path: Path) -> None:
    """By the machine's clock; a server in the middle of another run leaves the next one out."""
    serve()
    _until_begun(tmp_path)
    _until(tmp_path / "told.txt", "the run before is still going on", 100)


def test_an_idle_server_ends_with_0(file: Path, tmp_path: Path) -> None:
    """Ctrl-C while no run goes on: nothing was interrupted."""
    yearly = file.read_text().replace("* * * * *", "0 0 1 1 *")
    file.write_text(yearly)
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "serve", str(file)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "runs on the schedule 0 0 1 1 *" in process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "stopped; runs made: none" in err


def test_what_cannot_be_served_is_a_sentence(tmp_path: Path) -> None:
    """Exit code 2, before anything is run."""
    file = write_pipeline(tmp_path, Sketch(name="s"))
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "serve", str(file), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"] == "the pipeline has no schedule"
