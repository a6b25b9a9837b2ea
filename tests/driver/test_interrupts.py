"""A run that is interrupted ends in order, and goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlkit import RunOptions, resume, run
from mlkit.core.states import Status
from mlkit.driver.services import Services
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import Cancellation, ExecutionRequest, ExecutionResult
from mlkit.testing import FakeRunner, RecordingObserver, Sketch, chain, write_pipeline
from mlkit.testing.running import fake_services


class Hanging:
    """A runner whose stage waits until it is cancelled."""

    def __init__(self) -> None:
        self.started = threading.Event()

    def execute(
        self, request: ExecutionRequest, on_cell: object, cancellation: Cancellation
    ) -> ExecutionResult:
        """Run the first stage; hang in the second."""
        if request.metadata["stage"] == "s1":
            return FakeRunner().execute(request, lambda news: None, cancellation)
        stopped = threading.Event()
        cancellation.subscribe(stopped.set)
        self.started.set()
        assert stopped.wait(30)
        return ExecutionResult(status=Status.CANCELLED)


class LoopLast(Cancellation):
    """It reaches the first subscriber, the run itself, after a stage's end has arrived."""

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


DEAF = """
import os, signal, sys
from mlkit.driver.interrupts import interruptible
from mlkit.notebook.kernels.mlkit_zygote.identity import process_facts
from mlkit.notebook.notebook_runner import Cancellation
ignored = [int(number) for number in sys.argv[1:]]
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
before, cancellation = process_facts(), Cancellation()
with interruptible(cancellation):
    assert process_facts() == before
    for number in ignored:
        os.kill(os.getpid(), number)
    assert not cancellation.requested
assert process_facts() == before
"""


@pytest.mark.parametrize("ignored", [set(), {"INT"}, {"HUP"}, {"TERM"}, {"INT", "HUP", "TERM"}])
def test_what_a_process_was_told_to_ignore_it_ignores(ignored: set[str]) -> None:
    """So it goes on, and is like the run before it: the same zygote forks for both."""
    numbers = [str(int(signal.Signals[f"SIG{name}"])) for name in ignored]
    subprocess.run([sys.executable, "-c", DEAF, *numbers], check=True, timeout=60)


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
    # A suite that was started by nohup ignores SIGHUP, and its children inherit that.
    heard = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"
    main = f"{heard}; from mlkit.cli.main import main; main()"
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
