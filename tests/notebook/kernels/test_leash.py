"""Nothing outlives a driver, however it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.kernel

DRIVER = """
import asyncio, os, pathlib, sys
sys.path.insert(0, sys.argv[3])
import conftest
from mlkit.notebook.kernels import open_kernels

kernels = open_kernels(sys.argv[1], env=conftest.start_environment())
lab = conftest.Lab(kernels=kernels, folder=pathlib.Path(sys.argv[2]))
if "spare" in sys.argv:
    kernels.prepare(1)
cell = '''
import os, subprocess, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a kernel has threads, and forks
apart = subprocess.Popen(["sleep", "300"], start_new_session=True)
near = subprocess.Popen(["sleep", "300"])
forked = os.fork()
if not forked:
    os.setsid()
    import time
    time.sleep(300)
print(os.getpid(), apart.pid, near.pid, forked)
'''
printed = asyncio.run(conftest.execute(lab.manager(), cell))
zygote = [kernels._zygote.pid] if sys.argv[1] == "fork" else [os.getpid()]
print(printed, *zygote, kernels._leash.folder, flush=True)
sys.stdin.readline()
"""


class Driver:
    """A driver process with a kernel that has started three processes of its own."""

    def __init__(self, kind: str, folder: Path, *extra: str) -> None:
        here = str(Path(__file__).parent)
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, kind, str(folder), here, *extra],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        *pids, self.folder = self.process.stdout.readline().split()
        self.kernel, self.apart, self.near, self.forked, self.zygote = map(int, pids)
        family = psutil.Process(self.process.pid).children(recursive=True)
        named = map(psutil.Process, (self.kernel, self.apart, self.near, self.forked))
        self.family = sorted({*family, *named}, key=lambda process: process.pid)

    def end(self) -> None:
        """Close the pipes and collect the process."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def survivors(self, seconds: float = 10.0) -> list[psutil.Process]:
        """Who of the family is still there after a while; nobody, at best at once."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (alive := self._alive()):
            time.sleep(0.01)
        return alive

    def _alive(self) -> list[psutil.Process]:
        return [process for process in self.family if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; one that init has yet to collect does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(params=[("fork",), ("fork", "spare"), ("spawn",)], ids="-".join)
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    """A driver of each kind."""
    kind, *extra = request.param
    driver = Driver(kind, tmp_path, *extra)
    yield driver
    driver.end()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_nothing_outlives_a_driver_that_is_killed(driver: Driver, signum: int) -> None:
    """Kernel, zygote, warden and all subprocesses go, also those that called setsid."""
    os.kill(driver.process.pid, signum)
    driver.process.wait()
    assert driver.survivors() == []
    assert not Path(driver.folder).exists()


def test_nothing_outlives_a_driver_that_leaves_without_closing(driver: Driver) -> None:
    """A script that ends in the middle leaves nothing behind either."""
    assert driver.process.stdin is not None
    driver.process.stdin.close()
    driver.process.wait(timeout=30)
    assert driver.survivors() == []
    assert not Path(driver.folder).exists()


def test_kernels_outlive_a_zygote_that_is_killed_and_not_their_driver(tmp_path: Path) -> None:
    """The driver's end takes them, and what they had started."""
    driver = Driver("fork", tmp_path)
    kernel = psutil.Process(driver.kernel)
    os.kill(driver.zygote, signal.SIGKILL)
    time.sleep(0.5)
    assert is_alive(kernel)
    driver.end()
    assert driver.survivors() == []
