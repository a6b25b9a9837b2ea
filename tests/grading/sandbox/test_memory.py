"""What processes hold is bounded by a control group, or added up; costly readings are ended."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

import psutil
import pytest

from mlkit.errors import GradingError
from mlkit.grading.sandbox import trial as sandbox
from mlkit.grading.sandbox.bounded import TooCostlyError, bounded
from mlkit.grading.sandbox.jail import Jail
from mlkit.grading.sandbox.kernel import InmateKernel
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.memory import MemoryGroup, held_bytes
from mlkit.grading.sandbox.walls import Surroundings
from mlkit.grading.verdict.acceptance import RULES

MEGABYTE = 1_000_000


@contextmanager
def _children(count: int, hold: Callable[[], object]) -> Iterator[list[int]]:
    """Some forked processes that hold something until the end."""
    pids = []
    ready, told = os.pipe()
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            held = hold()
            os.write(told, b"x")
            time.sleep(60)
            os._exit(len(repr(held)) > 0)
        pids.append(pid)
    for _ in pids:
        os.read(ready, 1)
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(ready)
        os.close(told)


def test_pages_that_processes_share_count_once() -> None:
    """Eight forks hold what their parent holds, and not eight times as much."""
    shared = bytearray(b"x" * 80 * MEGABYTE)
    own = psutil.Process().memory_info().rss
    with _children(8, lambda: shared[:10]) as pids:
        assert held_bytes(pids, []) < own + 100 * MEGABYTE


def test_pages_of_its_own_count_for_each_process() -> None:
    """Four times 30 MB."""
    with _children(4, lambda: bytearray(b"x" * 30 * MEGABYTE)) as pids:
        assert held_bytes(pids, []) > 115 * MEGABYTE


def test_a_memory_file_counts_once_and_without_being_mapped() -> None:
    """The process that holds its descriptor; so do shared pages that no file stands for."""

    def hold() -> list[int]:
        held = os.memfd_create("held")
        os.write(held, b"x" * 50 * MEGABYTE)
        return [held, os.dup(held)]

    def share() -> mmap.mmap:
        pages = mmap.mmap(-1, 50 * MEGABYTE)
        pages.write(b"x" * 50 * MEGABYTE)
        return pages

    with _children(1, int) as pids:
        before = held_bytes(pids, [])
    for way in (hold, share):
        with _children(1, way) as pids:
            # Twice would be 100; how many share the pages of this process itself varies by some 30.
            assert 45 * MEGABYTE < held_bytes(pids, []) - before < 95 * MEGABYTE


def test_what_is_on_its_way_in_sockets_and_pipes_counts() -> None:
    """As much as the operating system lets wait there, whether anything does or not."""
    sent: list[int] = []

    def fill() -> list[object]:
        held: list[object] = []
        for _ in range(60):
            near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            near.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    sent.append(near.send(b"x" * 4096))
            held += [near, far]
        return held

    with _children(1, int) as pids:
        before = held_bytes(pids, [])
    kept = fill()
    with _children(1, lambda: kept) as pids:
        assert held_bytes(pids, []) - before > sum(sent) > MEGABYTE


def test_what_waits_in_connections_that_nobody_has_accepted_counts(tmp_path: Path) -> None:
    """No descriptor leads to it: neither its sender's, which are closed, nor its receiver's."""
    before = held_bytes([], [], os.getpid())
    sent: list[int] = []
    with socket.socket(socket.AF_UNIX) as far, socket.create_server(("127.0.0.1", 0)) as server:
        far.bind(str(tmp_path / "far"))
        far.listen(30)
        for address in [str(tmp_path / "far")] * 20 + [server.getsockname()] * 5:
            kind = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
            with socket.socket(kind) as near, contextlib.suppress(BlockingIOError):
                near.connect(address)
                near.setblocking(False)
                while True:
                    sent.append(near.send(b"x" * 4096))
        assert held_bytes([], [], os.getpid()) - before > 0.9 * sum(sent) > 2 * MEGABYTE


def test_a_control_group_leaves_nothing_behind() -> None:
    """Nor does one whose grader was killed, once another grader comes."""
    group = MemoryGroup.make(100 * MEGABYTE)
    if group is None:
        with tempfile.TemporaryDirectory() as name:  # counted by hand on such a machine
            assert held_bytes([os.getpid()], [Path(name)]) > 0
        return
    stale = group.folder.with_name("mlkit-4194399-0")
    stale.mkdir()
    assert not group.is_exceeded()
    group.remove()
    group.remove()
    assert not group.folder.exists()
    second = MemoryGroup.make(100 * MEGABYTE)
    assert second is not None
    second.remove()
    assert not stale.exists()


@pytest.mark.kernel
@pytest.mark.sandbox
@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("counted", [False, True])
def test_a_kernel_is_ended_with_and_without_a_control_group(
    counted: bool,  # noqa: FBT001 - a parameter of pytest
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By what its children hold together; memory files cannot be made where none counts them."""
    if counted:
        monkeypatch.setattr(MemoryGroup, "make", classmethod(lambda cls, limit: None))
    limits = Limits(memory_bytes=300 * MEGABYTE)
    kernel = InmateKernel(Surroundings(limits=limits), "sandboxed")
    source = (
        "import os, time\nfor number in range(8):\n    if os.fork() == 0:\n"
        "        held = bytearray(b'x' * 60_000_000)\n        time.sleep(60)\ntime.sleep(9)"
    )
    try:
        with pytest.raises(Empty):
            kernel.await_reply(kernel.execute_cell_input(source))
        assert kernel.reason == "memory"
    finally:
        kernel.stop()


@pytest.mark.kernel
@pytest.mark.sandbox
@pytest.mark.usefixtures("sandbox")
def test_a_sandbox_whose_kernel_cannot_be_talked_to_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a container that takes rights from root: it is found out at the start, and said."""

    def refused(self: Jail, path: Path) -> bool:
        raise GradingError(f"the kernel's sockets cannot be reached: {path.name}")

    monkeypatch.setattr(Jail, "_listens", refused)
    sandbox.why_limited.cache_clear()
    try:
        assert sandbox.isolation() == "limited"
        assert "no kernel in it can be used (the kernel's sockets" in sandbox.why_limited()
    finally:
        sandbox.why_limited.cache_clear()


def test_a_reading_gives_its_value_or_its_error() -> None:
    """As if it were called here."""
    assert bounded(lambda: {"a": [1, 2]}) == {"a": [1, 2]}
    with pytest.raises(GradingError, match="told"):
        bounded(lambda: _raise(GradingError("told")))


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    "read",
    [
        lambda: bytearray(b"x" * 600 * MEGABYTE),
        lambda: [[]] * 10**9,
        lambda: sum(1 for _ in iter(int, 1)),
        lambda: os._exit(0),
        lambda: os.kill(os.getpid(), signal.SIGKILL),
    ],
)
def test_a_costly_reading_is_ended(read: Callable[[], object]) -> None:
    """Memory, time, or the process itself."""
    started = time.monotonic()
    with pytest.raises(TooCostlyError):
        bounded(read, time_s=3)
    assert time.monotonic() - started < 20


def test_aliases_of_aliases_cost_a_reader_next_to_nothing() -> None:
    """A text of some hundred characters that stands for a billion elements is not accepted."""
    lines = ["l0 = ['x'] * 20", *(f"l{n + 1} = [" + f"l{n}, " * 12 + "]" for n in range(9))]
    text = "\n".join(
        [
            "from airflow.sdk import DAG",
            "from airflow.providers.standard.operators.empty import EmptyOperator",
            *lines,
            "with DAG('d', tags=l9) as dag:",
            "    EmptyOperator(task_id='a', params={'x': l9})",
        ]
    )
    before = held_bytes([os.getpid()], [])
    started = time.monotonic()
    RULES["dag_file"](text, {"tasks": ["a"]})
    RULES["pipeline_file"](text, {"tasks": ["a"]})
    assert held_bytes([os.getpid()], []) - before < 50 * MEGABYTE
    assert time.monotonic() - started < 60
