"""One forked kernel, seen from its driver; the zygote is its parent."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlkit.notebook.kernels.mlkit_zygote import wire
from mlkit.notebook.kernels.process import until_readable
from mlkit.notebook.kernels.warden import kill_group

__all__ = ["ForkError", "ForkedProcess"]

# How often a zygote that was stopped is asked again whether a killed kernel has been collected.
REPORT_MS = 100


class ForkError(Exception):
    """A kernel could not be forked; a stock one has to do."""


class ForkedProcess:
    """A kernel that the zygote forks: the zygote is its parent, and reports its end.

    Attributes
    ----------
    pid : int
        0 until the process has said its number.
    ready : bool
        Whether it has taken up its orders.
    finished : bool
        Whether it has done all that a kernel does before its end.
    arguments : tuple of str
        What the kernel was booted with.
    """

    def __init__(self, link: socket.socket, arguments: Sequence[str]) -> None:
        self.pid = 0
        self.ready = False
        self.finished = False
        self.arguments = tuple(arguments)
        self._link = link
        self._heard = b""
        self._status: int | None = None
        self._lock = threading.Lock()

    def boot(self, *, spare: bool) -> None:
        """Tell it to become a kernel; a spare one then waits for `order`."""
        self._send({"arguments": self.arguments, "spare": spare})

    def order(self, env: Mapping[str, str], cwd: Path, streams: tuple[int, int]) -> None:
        """Give it its environment, its working directory, and files for stdout and stderr."""
        self._send({"env": dict(env), "cwd": str(cwd)}, *streams)

    async def born(self) -> None:
        """Wait until the process exists and has taken up its orders.

        Raises
        ------
        ForkError
            If it has not come so far.
        """
        while self.poll() is None and not self.ready:
            await self._news()
        if not self.ready:
            raise ForkError("the forking process has ended")

    def poll(self) -> int | None:
        """The exit status, or None while it is alive."""
        with self._lock:
            while self._status is None and (chunk := self._read()) is not None:
                self._heard += chunk
                for message in self._messages():
                    self.pid = message.get("pid", self.pid)
                    self.ready = message.get("ready", self.ready)
                    self.finished = message.get("finished", self.finished)
                    self._status = message.get("exit", self._status)
                if not chunk and self._status is None:
                    self._status = -9  # the zygote has died, and its kernels with it
                    if self.pid:
                        kill_group(self.pid)
            if self._status is not None:
                self._link.close()
            return self._status

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
        """Hang up; a spare kernel then ends."""
        with self._lock:
            self._link.close()
            self._status = self._status or 0

    async def _news(self) -> None:
        """Wait until there is something to read."""
        with self._lock:
            if self._status is not None:
                return
            descriptor = os.dup(self._link.fileno())
        await until_readable(descriptor)

    def _read(self) -> bytes | None:
        """What has arrived; an empty text at the end, None if there is nothing yet."""
        try:
            return self._link.recv(4096, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return b""

    def _messages(self) -> list[dict[str, Any]]:
        """Take the complete messages out of what was heard."""
        messages = []
        size = wire.HEADER.size
        while len(self._heard) >= size:
            (length,) = wire.HEADER.unpack(self._heard[:size])
            if len(self._heard) < size + length:
                break
            messages.append(json.loads(self._heard[size : size + length]))
            self._heard = self._heard[size + length :]
        return messages

    def _send(self, message: dict[str, Any], *descriptors: int) -> None:
        try:
            wire.send(self._link, message, *descriptors)
        except OSError as error:
            raise ForkError("the forking process has ended") from error
