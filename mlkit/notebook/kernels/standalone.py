"""Forked kernels for anybody's jupyter_client, nbclient or Papermill, as a kernel provisioner.

Its name, under the entry point group `jupyter_client.kernel_provisioners`, is `mlkit-fork`. All
kernels of one process that start in the same surroundings share one zygote. Whatever cannot be had
by forking exactly as it was asked for is left to jupyter_client's own provisioner.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import List, Unicode

from mlkit.notebook.kernels.fixed_environment import fixed_at_start
from mlkit.notebook.kernels.forked_popen import ForkedPopen, Streams
from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.own_zygote import OwnZygote
from mlkit.notebook.kernels.ownership import abandon_in_forks
from mlkit.notebook.kernels.warden import LEASH

__all__ = ["ForkingProvisioner"]

PRELOAD = "MLKIT_PRELOAD"
POLITE_S = 2.0
# We look again and again, and leave the threads of asyncio's executor alone: a worker process that
# was forked while its parent had an event loop believes to have them, and waits for ever.
PAUSE_S = 0.005
LAUNCHER = "ipykernel_launcher"
USUAL_OPTIONS = {"-Xfrozen_modules=off"}
"""Of the interpreter, in jupyter_client's own kernel specification; the zygote has it too."""
UNDERSTOOD = {"cwd", "env", "stdin", "stdout", "stderr", "independent", "extra_arguments"}


class Zygotes:
    """The zygotes of this process, one for each list of modules and surroundings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[object, tuple[Leash, OwnZygote]] = {}
        abandon_in_forks(self)
        atexit.register(self.close)

    def get(self, preload: tuple[str, ...], env: Mapping[str, str]) -> tuple[Leash, OwnZygote]:
        """Give the zygote that suits, made at the first call."""
        fixed = frozenset((name, value) for name, value in env.items() if fixed_at_start(name))
        key = (preload, fixed)
        with self._lock:
            if key not in self._open:
                leash = Leash()
                say = logging.getLogger("mlkit.kernels").warning
                self._open[key] = (leash, OwnZygote(leash, preload=preload, env=env, say=say))
            return self._open[key]

    def abandon(self) -> None:
        """Begin anew, in a process that was forked from this one."""
        self._lock = threading.Lock()
        self._open.clear()
        abandon_in_forks(self)

    def close(self) -> None:
        """End the zygotes and their kernels with this process."""
        while self._open:
            _, (leash, zygote) = self._open.popitem()
            zygote.close()
            leash.close()


_zygotes = Zygotes()


class ForkingProvisioner(LocalProvisioner):
    """Forks kernels of this interpreter; starts any other kernel as jupyter_client does.

    Attributes
    ----------
    preload : list of str
        Modules to import ahead: from `metadata.kernel_provisioner.config.preload` in kernel.json,
        or from the environment variable `MLKIT_PRELOAD`, separated by commas.
    """

    preload: Any = List(Unicode(), help="Modules to import ahead").tag(config=True)
    process: Any = None
    _leash: Leash | None = None
    _serial = 0

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel; one that is forked may come to life a moment later."""
        if not _can_be_forked(cmd, kwargs):
            return await super().launch_kernel(cmd, **kwargs)
        env = dict(kwargs.get("env") or os.environ)
        names = tuple(self.preload) or tuple(os.environ.get(PRELOAD, "").replace(",", " ").split())
        leash, zygote = _zygotes.get(names, env)
        zygote.hear()
        if zygote.refusal:
            return await super().launch_kernel(cmd, **kwargs)
        self._leash, self._serial = leash, leash.serial()
        env |= {LEASH: leash.mark(self._serial), "JPY_PARENT_PID": str(os.getpid())}
        cwd = Path(kwargs.get("cwd") or Path.cwd())
        self.process = ForkedPopen(
            cmd,
            zygote=zygote,
            leash=leash,
            streams=Streams.of(kwargs.get("stdout"), kwargs.get("stderr")),
            arguments=cmd[cmd.index(LAUNCHER) + 1 :],
            env=env,
            cwd=cwd.absolute(),
        )
        self.cwd = str(cwd)
        return self.connection_info

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group."""
        self._know_the_group()
        await super().send_signal(signum)

    async def get_provisioner_info(self) -> dict[str, Any]:
        """What is kept of this kernel; waits until it has a process id."""
        while isinstance(self.process, ForkedPopen) and not self.process.wait_born(0):
            await asyncio.sleep(PAUSE_S)
        self._know_the_group()
        info: dict[str, Any] = await super().get_provisioner_info()
        return info

    async def shutdown_requested(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - not ours
        """Wait for the end here; jupyter_client would look every 0.1 s only."""
        until = time.monotonic() + POLITE_S
        while await self.poll() is None and time.monotonic() < until:
            await asyncio.sleep(PAUSE_S)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - not ours
        """Kill what the kernel has left behind."""
        if isinstance(self.process, ForkedPopen):
            self.process.kill()
        if self._leash is not None:
            self._leash.sweep(self._serial)
            self._leash = None
        await super().cleanup(restart=restart)

    def _know_the_group(self) -> None:
        """Take over the process id of a kernel that has come to life."""
        if isinstance(self.process, ForkedPopen) and self.process.is_born:
            self.pid = self.pgid = self.process.pid


def _can_be_forked(command: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Whether a forked kernel is all that was asked for."""
    if LAUNCHER not in command or not sys.platform.startswith("linux"):
        return False
    options_of_python = command[1 : command.index(LAUNCHER) - 1]
    return (
        Path(command[0]) == Path(sys.executable)
        and command[command.index(LAUNCHER) - 1] == "-m"
        and set(options_of_python) <= USUAL_OPTIONS
        and options.keys() <= UNDERSTOOD | {"kernel_id"}
        and options.get("stdin") is None
        and not options.get("independent")
    )
