"""Provisioners: how a jupyter_client manager gets at a kernel on mlkit's leash."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from mlkit.notebook.kernels.kernel_process import (
    ForkedProcess,
    ForkError,
    KernelProcess,
    SpawnedProcess,
)
from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.request import KernelRequest
from mlkit.notebook.kernels.warden import LEASH
from mlkit.notebook.kernels.zygote import Zygote

__all__ = ["ForkProvisioner", "LeashedProvisioner"]

LAUNCHER = "ipykernel_launcher"


class LeashedProvisioner(LocalProvisioner):
    """Starts stock kernels, a fresh interpreter for each, on the driver's leash."""

    request: KernelRequest
    leash: Leash
    serial: int
    kernel: KernelProcess | None = None

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started and has not been put away."""
        return self.kernel is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Take working directory and environment from the request, whatever the caller says."""
        kwargs.update(cwd=str(self.request.cwd), env=dict(self.request.env))
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel's process and put it on the leash."""
        env = {**kwargs["env"], LEASH: self.leash.mark(self.serial)}
        self.kernel = await self.begin(cmd, env)
        self.leash.hold(self.kernel)
        self.pid = self.pgid = self.kernel.pid
        self.cwd = str(self.request.cwd)
        return self.connection_info

    async def ended(self) -> int:
        """Wait for the kernel's end; return its exit status, a signal's number negated."""
        return 0 if self.kernel is None else await self.kernel.ended()

    async def poll(self) -> int | None:
        """The exit status, or None while the kernel is alive."""
        return 0 if self.kernel is None else self.kernel.poll()

    async def wait(self) -> int | None:
        """Wait for the end, then forget the process."""
        status = await self.ended()
        self.forget()
        return status

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group."""
        if self.kernel is not None:
            self.kernel.signal(signum)

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - not ours
        """Kill the kernel and all that it has started."""
        self.kill_all()

    async def terminate(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - not ours
        """Ask the kernel's process group to end."""
        await self.send_signal(signal.SIGTERM)

    def kill_all(self) -> None:
        """Kill the process group, and what has left the group; from any thread."""
        if self.kernel is not None:
            self.kernel.signal(signal.SIGKILL)
        self.leash.sweep(self.serial)

    def leave(self) -> None:
        """Leave the kernel, which runs, to a keeper that holds it."""
        if self.kernel is not None:
            self.leash.spare(self.kernel, self.serial)
            self.kernel = None

    def forget(self) -> None:
        """Put the process away, which has ended or been killed."""
        if self.kernel is not None:
            self.leash.drop(self.kernel)
            self.kernel = None

    async def begin(self, command: list[str], env: dict[str, str]) -> KernelProcess:
        """Start the interpreter as the leader of a session of its own."""
        return await asyncio.to_thread(self._popen, command, env)

    @contextmanager
    def streams(self) -> Iterator[tuple[int, int]]:
        """Open what the kernel is to have as stdout and stderr: the end of its log."""
        self.request.log.parent.mkdir(parents=True, exist_ok=True)
        with self.request.log.open("ab") as log:
            yield log.fileno(), log.fileno()

    @property
    def _parent(self) -> str:
        """Whose end ipykernel shall end with, beside the warden's watch; 1 is nobody's."""
        return "1" if self.request.may_outlive else str(os.getpid())

    def _popen(self, command: list[str], env: dict[str, str]) -> KernelProcess:
        with self.streams() as (stdout, stderr):
            popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=self.request.cwd,
                env={**env, "JPY_PARENT_PID": self._parent},
                start_new_session=True,
            )
        return SpawnedProcess(popen)


class ForkProvisioner(LeashedProvisioner):
    """Has the zygote fork a kernel; starts a stock one if that fails."""

    zygote: Zygote
    spare: ForkedProcess | None = None
    instead: Callable[[Zygote], Zygote | None] = staticmethod(lambda _: None)
    after_start: Callable[[], None] | None = None

    def leave(self) -> None:
        """Leave the kernel; the zygote, its parent, does not end it any more."""
        if isinstance(self.kernel, ForkedProcess):
            self.zygote.spare(self.kernel.pid)
        super().leave()

    async def begin(self, command: list[str], env: dict[str, str]) -> KernelProcess:
        """Give orders to the spare kernel, or fork one."""
        arguments = command[command.index(LAUNCHER) + 1 :]
        try:
            process = await self._fork(arguments, env)
        except ForkError as error:
            self.zygote.hear()  # it says why
            other = None if error.wants_stock else self.instead(self.zygote)
            if other is None:
                return await super().begin(command, env)
            self.zygote = other
            return await self.begin(command, env)
        self.zygote.hear()
        if self.after_start is not None:
            self.after_start()
        return process

    async def _fork(self, arguments: list[str], env: dict[str, str]) -> ForkedProcess:
        process, self.spare = self.spare, None
        if process is not None and process.arguments != tuple(arguments):
            process.dismiss()
            process = None
        if process is None:
            needs = self.request.imports
            process = await asyncio.to_thread(
                partial(self.zygote.fork, arguments, env, spare=False, needs=needs)
            )
        with self.streams() as streams:
            process.order(
                {**env, "JPY_PARENT_PID": self._parent},
                self.request.cwd.absolute(),
                streams,
                settings=self.request.settings,
                may_begin_again=self.request.may_begin_again,
            )
        try:
            await process.born()
        except ForkError:
            if process.again:
                self.zygote.tell(f"a stock kernel is used: {process.again}")
            raise
        return process
