"""Kernels in their jail: what ends them is told, and nothing of them is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty

import pytest

from mlkit.errors import GradingError
from mlkit.grading.sandbox.kernel import InmateKernel
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.trial import Isolation, Surroundings

LIMITS = Limits(cell_s=2, output_bytes=200_000, memory_bytes=400_000_000)


WALLS = [pytest.param("sandboxed", marks=pytest.mark.sandbox), "limited"]


@pytest.fixture(params=WALLS)
def kernel(request: pytest.FixtureRequest) -> Iterator[InmateKernel]:
    """A kernel in a sandbox if there is one here, and one with limits only."""
    walls: Isolation = request.param
    if walls == "sandboxed":
        request.getfixturevalue("sandbox")
    running = InmateKernel(Surroundings(limits=LIMITS), walls)
    yield running
    running.stop()


def _run(kernel: InmateKernel, source: str) -> str:
    """Run a cell and give its standard output."""
    asked = kernel.execute_cell_input(source)
    kernel.await_reply(asked)
    text: str = ""
    while True:
        message = kernel.get_message("iopub", 5)
        if message["parent_header"].get("msg_id") != asked:
            continue
        text += str(message["content"].get("text", ""))
        if message["content"].get("execution_state") == "idle":
            return text


def _keep_busy(stack: contextlib.ExitStack, each: int) -> None:
    """Have so many processes compute for each processor.

    Each in a session of its own: Linux shares processors among sessions first, and the kernel has
    one to itself.
    """
    for _ in range(each * (os.cpu_count() or 1)):
        other = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        stack.callback(other.wait)
        stack.callback(other.kill)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("source", "most_s"),
    [("while True: pass", 4 * LIMITS.cell_s), ("import time; time.sleep(60)", LIMITS.cell_s)],
)
def test_a_cell_has_its_time_though_the_machine_is_busy(
    source: str, most_s: float, kernel: InmateKernel
) -> None:
    """What computes is waited for until it has had its share; what sleeps is not."""
    with contextlib.ExitStack() as stack:
        _keep_busy(stack, 3)
        begun = time.monotonic()
        with pytest.raises(Empty):
            _run(kernel, source)
        took_s = time.monotonic() - begun
    assert kernel.reason == "timeout"
    assert LIMITS.cell_s - 0.5 < took_s < most_s + 3
    assert (took_s > 2.5 * LIMITS.cell_s) == ("pass" in source)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("source", "least_s", "most_s"),
    [
        ("while time.process_time() < begun + 0.6: pass", 0.5, 1.3),
        ("time.sleep(1.5)", 1.0, 2.0),  # what its threads wait for meanwhile is taken off
    ],
)
def test_of_a_submissions_time_a_cell_takes_its_own_and_not_that_of_others(
    source: str, least_s: float, most_s: float, kernel: InmateKernel
) -> None:
    """On a machine on which it gets a quarter of a processor, or less."""
    before = "import time\nbegun = time.process_time()\n"
    with contextlib.ExitStack() as stack:
        _keep_busy(stack, 4)
        _run(kernel, before + source)
    assert least_s < kernel.spent_s < most_s


@pytest.mark.kernel
@pytest.mark.skipif(sys.platform != "linux", reason="processes are told by /proc")
def test_what_left_for_a_session_of_its_own_ends_with_the_kernel() -> None:
    """Where there is no sandbox that would take it along: told by the home that it was given."""
    leaves = "import os, time; os.fork(); os.setsid(); print(flush=True); time.sleep(300)"
    start = "subprocess.Popen([sys.executable, '-c', leaves], stdout=-1, start_new_session=True)"
    kernel = InmateKernel(Surroundings(limits=LIMITS), "limited")
    try:
        home = _run(kernel, "import os; print(os.environ['HOME'])").strip()
        _run(kernel, f"import subprocess, sys\nleaves = {leaves!r}\n{start}.stdout.readline()")
        assert len(_with_home(home)) > 1
    finally:
        kernel.stop()
    until = time.monotonic() + 5
    while _with_home(home) and time.monotonic() < until:
        time.sleep(0.05)
    assert _with_home(home) == []


def _with_home(home: str) -> list[int]:
    """The processes that were given a home, and have not ended."""
    found = []
    for told in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"HOME={home}".encode() in told.read_bytes().split(b"\0"):
                found.append(int(told.parent.name))
    return found


@pytest.mark.kernel
def test_folders_nested_beyond_reason_are_removed_with_the_kernel(kernel: InmateKernel) -> None:
    """Deeper than Python's own removal goes, which calls itself for each."""
    place = _run(kernel, "import os\nprint(os.getcwd())").strip()
    nest = "for _ in range(3000): os.mkdir('x'); os.chdir('x')\nprint('made')"
    assert _run(kernel, nest) == "made\n"
    kernel.stop()
    assert not Path(place).exists()


@pytest.mark.kernel
def test_a_kernel_runs_one_cell_after_the_other(kernel: InmateKernel) -> None:
    """In an empty folder of its own, with an environment of its own."""
    assert _run(kernel, "x = 1 + 1") == ""
    assert _run(kernel, "import os; print(x, os.listdir() == ['.ipython'])") == "2 True\n"
    assert "PYTEST_CURRENT_TEST" not in _run(kernel, "print(dict(os.environ))")
    imported = "import sys; print(any(os.path.exists(p + '/inmate.py') for p in sys.path))"
    assert _run(kernel, imported) == "False\n"


@pytest.mark.kernel
def test_a_set_has_the_same_order_in_every_kernel(kernel: InmateKernel) -> None:
    """So a submission that is graded twice prints the same: the hashes of texts are fixed."""
    source = "print(list({'collect', 'clean', 'features', 'train', 'report', 'load', 'join'}))"
    command = [sys.executable, "-S", "-c", source]
    env = {"PYTHONHASHSEED": "0"}
    fixed = subprocess.run(command, env=env, capture_output=True, check=True, encoding="utf-8")
    assert _run(kernel, source) == fixed.stdout


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os._exit(3)", "died"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died"),
        ("while True: pass", "timeout"),
        ("while True: print('x' * 1000)", "output"),
        ("held = []\nwhile True: held.append(bytearray(b'x' * 5_000_000))", "memory"),
    ],
)
def test_what_ended_a_kernel_is_told(kernel: InmateKernel, source: str, reason: str) -> None:
    """And it is told in time."""
    started = time.monotonic()
    asked = kernel.execute_cell_input(source)
    with pytest.raises(Empty):
        kernel.await_reply(asked)
    assert kernel.reason == reason
    assert not kernel.is_alive()
    assert time.monotonic() - started < 20


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("source", "asleep", "waiting"),
    [
        ("while True: pass", False, False),
        ("sum(iter(int, 1))", False, False),
        ("import time; time.sleep(60)", True, True),
        ("import threading as t; lock = t.Lock(); lock.acquire(); lock.acquire()", False, True),
        ("import queue; queue.Queue().get()", False, True),
        ("import asyncio; await asyncio.sleep(60)", False, True),
        ("import subprocess as s; s.Popen(['cat'], stdin=s.PIPE).wait()", False, True),
    ],
)
def test_what_a_kernel_did_when_its_time_was_over_is_told(
    kernel: InmateKernel,
    source: str,
    asleep: bool,  # noqa: FBT001 - parameters of pytest
    waiting: bool,  # noqa: FBT001 - as above
) -> None:
    """Only what computes can be an endless loop."""
    asked = kernel.execute_cell_input(source)
    with pytest.raises(Empty):
        kernel.await_reply(asked)
    assert (kernel.reason, kernel.asleep, kernel.waiting) == ("timeout", asleep, waiting)


@pytest.mark.kernel
@pytest.mark.parametrize("walls", WALLS)
def test_a_kernel_ends_with_the_grader_however_that_ends(
    walls: str, request: pytest.FixtureRequest
) -> None:
    """SIGKILL to the process that started it."""
    if walls == "sandboxed":
        request.getfixturevalue("sandbox")
    code = (
        "import sys, time\n"
        "from mlkit.grading.sandbox.kernel import InmateKernel\n"
        "from mlkit.grading.sandbox.limits import Limits\n"
        "from mlkit.grading.sandbox.trial import Surroundings\n"
        "kernel = InmateKernel(Surroundings(limits=Limits(total_s=77777)), sys.argv[1])\n"
        "print('started', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, walls], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    assert _inmates()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 10
    while _inmates() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _inmates() == []


def _inmates() -> list[str]:
    """Processes of the kernel that the test above has started."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "inmate.py" in line and "77777" in line:
            found.append(line)
    return found


@pytest.mark.kernel
@pytest.mark.usefixtures("sandbox")
def test_secret_folders_below_visible_ones_are_empty(tmp_path: Path) -> None:
    """Should somebody keep solutions inside the environment."""
    secret = Path(sys.prefix) / "etc"
    around = Surroundings(limits=LIMITS, secret=(secret, tmp_path))
    kernel = InmateKernel(around, "sandboxed")
    try:
        told = _run(kernel, f"import os; print(os.listdir({str(secret)!r}))")
        assert (told, secret.is_dir(), os.listdir(secret) != []) == ("[]\n", True, True)  # noqa: PTH208 - as above
        assert _run(kernel, f"print(os.path.exists({str(tmp_path)!r}))") == "False\n"
    finally:
        kernel.stop()


def test_a_kernel_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of the process that failed."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(GradingError, match="the kernel did not start: it said nothing"):
        InmateKernel(Surroundings(limits=LIMITS), "limited")
