"""One kernel's process, seen from its driver: is it alive, when does it end, signal it.

A stock kernel's process is a child of the driver. A forked kernel's parent is the zygote, which
reports the end over the kernel's link.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from mlkit.notebook.kernels.mlkit_zygote import messages
from mlkit.notebook.kernels.ownership import abandon_in_forks
from mlkit.notebook.kernels.warden import kill_group

__all__ = ["UNKNOWN", "ForkError", "ForkedProcess", "KernelProcess", "SpawnedProcess"]

UNKNOWN = 1 << 16
"""In place of the exit status of a process that has ended while nobody was there to learn it."""

# A zygote that has not finished its imports by then is given up.
PRELOAD_S = 300.0

# How often a zygote is asked again whether a dead kernel has been collected, and how long: a zygote
# that was stopped, or imports something big, does not report at once.
REPORT_MS = 100
REPORT_S = 5.0


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

    def leave(self) -> None:
        """Leave it to somebody else, who holds its link."""
        ...

    def link(self) -> int | None:
        """A descriptor of the caller's own of what keeps it alive; None where nothing does."""
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
        import asyncio  # 20 ms, which runs that start no kernel need not pay

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

    def leave(self) -> None:
        """Collect it when it ends, should this process still be there."""
        threading.Thread(target=self._popen.wait, name="mlkit-left", daemon=True).start()

    def link(self) -> int | None:
        """None: a stock kernel lives until somebody kills it."""
        return None

    def _has_exited(self) -> bool:
        """Look without collecting the status."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, options) is not None


class ForkError(Exception):
    """A kernel could not be forked; a stock one has to do.

    Parameters
    ----------
    text : str
        Why.
    wants_stock : bool
        Whether no other zygote could fork it either.
    """

    def __init__(self, text: str, *, wants_stock: bool = False) -> None:
        super().__init__(text)
        self.wants_stock = wants_stock


class ForkedProcess:
    """A kernel that the zygote forks: the zygote is its parent, and reports its end.

    Attributes
    ----------
    pid : int
        0 until the process has said its number.
    ready : bool
        Whether it has taken up its orders.
    again : str
        Why its work has to begin again in a stock kernel; empty if it need not.
    unstable : list of str
        Why its result is not to be relied on.
    finished : bool
        Whether it has done all that a kernel does before its end.
    arguments : tuple of str
        What the kernel was booted with.
    """

    def __init__(
        self, link: socket.socket, arguments: Sequence[str], parent_lives: Callable[[], bool]
    ) -> None:
        self.pid = 0
        self.ready = False
        self.finished = False
        self.again = ""
        self.unstable: list[str] = []
        self.arguments = tuple(arguments)
        self._parent_lives = parent_lives
        self._link = link
        self._watch: int | None = None
        self._seen_dead_at: float | None = None
        self._heard = b""
        self._status: int | None = None
        self._lock = threading.Lock()
        abandon_in_forks(self)

    def boot(self, env: Mapping[str, str], *, spare: bool) -> None:
        """Tell it to become a kernel in an environment; a spare one then waits for `order`."""
        # With this variable ipykernel would not capture what compiled code prints.
        boots = {name: text for name, text in env.items() if name != "PYTEST_CURRENT_TEST"}
        self._send({"arguments": self.arguments, "env": boots, "spare": spare})

    def order(
        self,
        env: Mapping[str, str],
        cwd: Path,
        streams: Sequence[int],
        *,
        settings: Collection[str] = (),
        may_begin_again: bool,
    ) -> None:
        """Give it its environment, its working directory, and files for its standard streams.

        Of the environment, `settings` are those that it has to itself.
        """
        message = {
            "env": dict(env),
            "cwd": str(cwd),
            "settings": sorted(settings),
            "may_begin_again": may_begin_again,
        }
        self._send(message, *streams)

    async def born(self) -> None:
        """Wait until the process exists and has taken up its orders.

        Raises
        ------
        ForkError
            If it has not come so far.
        """
        import asyncio  # 20 ms, which runs that start no kernel need not pay

        try:
            async with asyncio.timeout(PRELOAD_S):
                while self.poll() is None and not self.ready:
                    await self._news()
        except TimeoutError as error:
            self.dismiss()
            raise ForkError(f"the imports have not ended after {PRELOAD_S:.0f} s") from error
        if not self.ready:
            reason = self.again or "the forking process has ended"
            raise ForkError(reason, wants_stock=bool(self.again))

    def poll(self) -> int | None:
        """The exit status, or None while it is alive; `UNKNOWN` if nobody can tell any more."""
        with self._lock:
            while self._status is None and (chunk := self._read()) is not None:
                told, self._heard = messages.split(self._heard + chunk)
                for message in told:
                    self._take(message)
                if not chunk and self._status is None:
                    self._status = self._untold()  # its end of the link went with it
            if self._status is None and self._has_died():
                self._status = self._untold()
            if self._status is not None:
                self._hang_up()
            return self._status

    def _take(self, message: dict[str, Any]) -> None:
        """Take in what the kernel, or the zygote about it, has to say."""
        self.pid = message.get("pid", self.pid)
        self.ready = message.get("ready", self.ready)
        self.finished = message.get("finished", self.finished)
        self.again = message.get("again", self.again)
        if "unstable" in message:
            self.unstable.append(message["unstable"])
        self._status = message.get("exit", self._status)

    def _has_died(self) -> bool:
        """Whether the process has ended and nobody is going to report how.

        The zygote reports soon, unless it has died itself, was stopped, or imports something big.
        """
        if self._watch is None or not _is_readable(self._watch):
            return False
        if self._seen_dead_at is None:
            self._seen_dead_at = time.monotonic()
        return not self._parent_lives() or time.monotonic() - self._seen_dead_at > REPORT_S

    def _untold(self) -> int:
        """The exit status of a kernel whose end the zygote did not report."""
        if self.again:
            return -signal.SIGKILL
        return 0 if self.finished else UNKNOWN

    def _hang_up(self) -> None:
        """Close what leads to the kernel."""
        self._link.close()
        watch, self._watch = self._watch, None
        if watch is not None:
            os.close(watch)

    async def done(self) -> None:
        """Wait until the kernel has done its last work, or has ended otherwise."""
        while self.poll() is None and not self.finished:
            await self._news()

    async def ended(self) -> int:
        """Wait for the zygote's report; return the exit status."""
        while (status := self.poll()) is None:
            await self._news()
        return status

    def signal(self, signum: int) -> None:
        """Send a signal to the process group, unless the kernel has ended."""
        if self.poll() is None and self.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signum)

    def end(self) -> None:
        """Kill the kernel and wait for the zygote to have collected it."""
        self.signal(signal.SIGKILL)
        while self.poll() is None:
            ear = select.poll()
            ear.register(self._link, select.POLLIN)
            ear.poll(REPORT_MS)

    def dismiss(self) -> None:
        """Hang up, on which the kernel ends if it has not ended yet."""
        with self._lock:
            self._hang_up()
            self._status = self._status or 0

    def leave(self) -> None:
        """Hang up: the process at the other end of the link goes on."""
        self.dismiss()

    def link(self) -> int | None:
        """The kernel ends when nobody holds this any more."""
        with self._lock:
            return None if self._status is not None else os.dup(self._link.fileno())

    def abandon(self) -> None:
        """Let go of it, in a process that was forked from its driver."""
        self._lock = threading.Lock()
        self._hang_up()
        self._status = UNKNOWN

    async def _news(self) -> None:
        """Wait until there is something to read, or the process has ended."""
        with self._lock:
            if self._status is not None:
                return
            waits = [os.dup(self._link.fileno())]
            if self._watch is not None and self._seen_dead_at is None:
                waits.append(os.dup(self._watch))
        limit_s = None if self._seen_dead_at is None else REPORT_MS / 1000
        await until_readable(*waits, limit_s=limit_s)

    def _read(self) -> bytes | None:
        """What has arrived; an empty text at the end, None if there is nothing yet."""
        try:
            text, files = messages.hear(self._link)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return b""
        for file in files:  # the kernel sends one, on which its end can be seen
            os.set_inheritable(file, False)
            if self._watch is None:
                self._watch = file
            else:
                os.close(file)
        return text

    def _send(self, message: dict[str, Any], *descriptors: int) -> None:
        try:
            messages.send(self._link, message, *descriptors)
        except OSError as error:
            raise ForkError("the forking process has ended") from error


def _is_readable(descriptor: int) -> bool:
    """Whether something could be read; a process's descriptor can when it has ended."""
    ear = select.poll()
    ear.register(descriptor, select.POLLIN)
    return bool(ear.poll(0))


async def until_readable(*descriptors: int, limit_s: float | None = None) -> None:
    """Wait until one of some file descriptors can be read, or for so long; then close them."""
    import asyncio  # 20 ms, which runs that start no kernel need not pay

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
