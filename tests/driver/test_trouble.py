"""A full disk, a read-only folder, an interruption: a clear error, nothing finished is lost."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit import RunOptions, resume, run
from mlkit.core.states import Status
from mlkit.driver.services import Services
from mlkit.errors import RunsFolderError
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import Cancellation, ExecutionRequest, ExecutionResult
from mlkit.store.database import Database
from mlkit.testing import FakeRunner, RecordingObserver, Sketch, chain, run_fake, write_pipeline
from mlkit.testing.running import fake_services


def _only_run(file: Path) -> str:
    return next(p.name for p in sorted((file.parent / "runs").iterdir()) if p.name[:2] == "20")


def _refusing(number: int) -> Any:
    def refuse(request: ExecutionRequest) -> ExecutionResult:
        raise OSError(number, os.strerror(number), str(request.notebook))

    return refuse


@pytest.mark.parametrize(
    ("number", "fact", "remedy"),
    [
        (errno.ENOSPC, "No space left on device", "mlkit clean"),
        (errno.EROFS, "Read-only file system", "--runs-dir"),
        (errno.EACCES, "Permission denied", "--runs-dir"),
    ],
)
def test_a_disk_that_refuses_is_a_sentence(
    tmp_path: Path, number: int, fact: str, remedy: str
) -> None:
    """What was finished is kept, and resume finishes the run."""
    file = chain(tmp_path)
    with pytest.raises(RunsFolderError) as caught:
        run_fake(file, runner=FakeRunner({"s2": [_refusing(number)]}))
    assert fact in str(caught.value)
    assert remedy in str(caught.value)
    runner = FakeRunner()
    again = resume(_only_run(file), file, services=fake_services(runner=runner))
    assert (again.status, runner.stages) == ("succeeded", ["s2", "s3"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB, if this machine lets one be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def _big(name: str, size: int, *upstream: str) -> Sketch:
    body = f"open(out, 'wb').write(b'{name}' * {size})"
    return Sketch(name=name, upstream=upstream, body=body)


def test_a_disk_that_is_really_full(tmp_path: Path, small_disk: Path) -> None:
    """The second artifact does not fit; the first is kept; with room the run is resumed."""
    file = write_pipeline(tmp_path / "p", _big("a", 300_000), _big("b", 800_000, "a"))
    runs = small_disk / "runs"
    with pytest.raises(RunsFolderError) as caught:
        run_fake(file, runs_dir=runs)
    assert "No space left on device" in str(caught.value) or "full" in str(caught.value)
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    run_id = next(p.name for p in runs.iterdir() if p.name[:2] == "20")
    runner = FakeRunner()
    again = resume(run_id, file, runs_dir=runs, services=fake_services(runner=runner))
    assert (again.status, runner.stages) == ("succeeded", ["b"])
    assert _integrity(runs / "mlkit.db") == "ok"


def test_a_read_only_file_system(tmp_path: Path, small_disk: Path) -> None:
    """A run is refused with what to do."""
    file = chain(tmp_path / "p", 1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(RunsFolderError) as caught:
        run_fake(file, runs_dir=small_disk / "runs")
    assert "Read-only file system" in str(caught.value)
    assert "--runs-dir" in str(caught.value)


def test_a_runs_folder_that_is_a_file(tmp_path: Path) -> None:
    """Is refused with its path."""
    file = chain(tmp_path, 1)
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(RunsFolderError, match="the runs folder cannot be used"):
        run_fake(file)


def test_a_database_that_is_none(tmp_path: Path) -> None:
    """Is refused with its path."""
    file = chain(tmp_path, 1)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mlkit.db").write_text("this is no database, however long it may be")
    with pytest.raises(RunsFolderError, match="the database of the runs folder cannot be used"):
        run_fake(file)


def _integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


def test_a_database_that_is_full_keeps_what_it_has(tmp_path: Path) -> None:
    """A transaction that does not fit leaves no half of itself."""
    file = chain(tmp_path, 1)
    record = run_fake(file)
    database = Database(tmp_path / "runs" / "mlkit.db")
    pages = database._query("PRAGMA page_count", ())[0][0]
    database._query(f"PRAGMA max_page_count={pages}", ())
    stage = record.stages["s1"]
    with pytest.raises(RunsFolderError, match="full"):
        database.save_stage(record.run_id, replace(stage, reason="x" * 1_000_000), 0)
    assert database.load_run(record.run_id) == record
    database.close()


class Hanging:
    """A runner whose stage waits until it is cancelled."""

    def __init__(self) -> None:
        self.started = threading.Event()

    def execute(
        self, request: ExecutionRequest, on_cell: object, cancellation: Cancellation
    ) -> ExecutionResult:
        """Run the first stage; hang in the second."""
        if request.metadata["stage"] == "s1":
            return FakeRunner().execute(request, lambda n, m: None, cancellation)
        stopped = threading.Event()
        cancellation.subscribe(stopped.set)
        self.started.set()
        assert stopped.wait(30)
        return ExecutionResult(status=Status.CANCELLED)


class LoopLast(Cancellation):
    """It reaches whoever subscribed first, the run itself, after a stage's end has arrived."""

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Keep the first to subscribe waiting."""
        if self._callbacks:
            return super().subscribe(callback)
        return super().subscribe(lambda: threading.Timer(0.5, callback).start())


@pytest.mark.parametrize("kind", [Cancellation, LoopLast])
def test_a_cancelled_run_can_be_resumed(tmp_path: Path, kind: type[Cancellation]) -> None:
    """What runs and what waits is cancelled, what had finished is kept."""
    file, runner, cancellation = chain(tmp_path), Hanging(), kind()

    def cancel() -> None:
        assert runner.started.wait(30)
        cancellation.request()

    threading.Thread(target=cancel).start()
    seen = RecordingObserver()
    services = Services(runner=runner, cancellation=cancellation, observers=[seen])
    record = run(file, options=RunOptions(), layers=Layers(), services=services)
    assert record.status == "cancelled"
    states = {k: s.status.value for k, s in record.stages.items()}
    assert states == {"s1": "succeeded", "s2": "cancelled", "s3": "cancelled"}
    assert seen.events[-1].data["status"] == "cancelled"
    fake = FakeRunner()
    again = resume(record.run_id, file, services=fake_services(runner=fake))
    assert (again.status, fake.stages) == ("succeeded", ["s2", "s3"])


SLOW = "import time\nprint('here', flush=True)\ntime.sleep(60)"


@pytest.mark.kernel
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kernel", ["fork", "spawn"])
def test_an_interruption_ends_in_order(tmp_path: Path, number: int, kernel: str) -> None:
    """Exit code 130, no traceback, the record is cancelled, no kernel is left."""
    import psutil

    mark = f"mark-{os.getpid()}-{number}-{kernel}"
    body = f"import subprocess\nsubprocess.Popen(['sleep', '61'], env={{'M': '{mark}'}})\n{SLOW}"
    file = write_pipeline(
        tmp_path, Sketch(name="s1"), Sketch(name="s2", upstream=("s1",), body=body)
    )
    main = "from mlkit.cli.main import main; main()"
    command = [sys.executable, "-c", main, "run", str(file), "--start", kernel]
    process = subprocess.Popen(
        [*command, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "MARK_OF_TEST": mark},
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        logs = list((tmp_path / "runs").glob("*/.staging/s2/attempts/1/log.txt"))
        if logs and "here" in logs[0].read_text():
            break
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert '"status": "cancelled"' in out
    alive = []
    for other in psutil.process_iter():
        try:
            environ = other.environ()
        except psutil.Error:
            continue
        if environ.get("MARK_OF_TEST") == mark and other.pid != os.getpid():
            alive.append(other.cmdline())
    assert alive == []
