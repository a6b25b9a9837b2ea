"""A kernel's process, seen from its driver: is it alive, when does it end, signal it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from typing import Protocol

from mlkit.notebook.kernels.warden import kill_group

__all__ = ["UNKNOWN", "KernelProcess", "SpawnedProcess", "until_readable"]

UNKNOWN = 1 << 16
"""In place of the exit status of a process that has ended while nobody was there to learn it."""


class KernelProcess(Protocol):
    """One kernel's process; all methods may be called from any thread."""

    pid: int
    again: str
    unstable: list[str]

    def poll(self) -> int | None:
        """The exit status (a signal's number negated), or None while it is alive."""
        ...

    async def done(self) -> None:
        """Wait until the kernel has done its last work; the end may be a moment later."""
        ...

    async def ended(self) -> int:
        """Wait for the end without polling; return the exit status."""
        ...

    def signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group, unless the kernel has ended."""
        ...

    def end(self) -> None:
        """Kill the kernel and return when it is gone."""
        ...

    def dismiss(self) -> None:
        """Hear no more of it."""
        ...


class SpawnedProcess:
    """A kernel that is a direct child of the driver and the leader of its own session."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self.pid = popen.pid
        self.again = ""
        self.unstable: list[str] = []
        self._popen = popen
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit status; at the first look after the end the rest of its group is killed.

        The group is killed while the dead leader still holds its number, so nobody else's can be.
        """
        with self._lock:
            if self._popen.returncode is None and self._has_exited():
                kill_group(self.pid)
                self._popen.wait()
            return self._popen.returncode

    async def done(self) -> None:
        """Wait for the end: a stock kernel does not say that it has finished."""
        await self.ended()

    async def ended(self) -> int:
        """Wait on the process's file descriptor; where there is none, in a thread."""
        while (status := self.poll()) is None:
            if hasattr(os, "pidfd_open"):
                await until_readable(os.pidfd_open(self.pid))
            else:
                await asyncio.to_thread(os.waitid, os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        return status

    def signal(self, signum: int) -> None:
        """Send a signal to the process group, unless the kernel has ended."""
        with self._lock:
            if self._popen.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signum)

    def end(self) -> None:
        """Kill the kernel and collect it."""
        self.signal(signal.SIGKILL)
        while self.poll() is None:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def dismiss(self) -> None:
        """Nothing: a child that has ended was collected."""

    def _has_exited(self) -> bool:
        """Look without collecting the status."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, options) is not None


async def until_readable(*descriptors: int, limit_s: float | None = None) -> None:
    """Wait until one of some file descriptors can be read, or for so long; then close them."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    for descriptor in descriptors:
        loop.add_reader(descriptor, ready.set)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ready.wait(), timeout=limit_s)
    finally:
        for descriptor in descriptors:
            loop.remove_reader(descriptor)
            os.close(descriptor)
