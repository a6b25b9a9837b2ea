"""Forked kernels for anybody's jupyter_client, nbclient or Papermill, as a kernel provisioner.

Its name, under the entry point group `jupyter_client.kernel_provisioners`, is `mlkit-fork`. All
kernels of one process that start in the same surroundings share one zygote.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from traitlets import List, Unicode

from mlkit.notebook.kernels.forking import Zygote
from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.process import KernelProcess
from mlkit.notebook.kernels.provision import LAUNCHER, ForkProvisioner, SpawnProvisioner
from mlkit.notebook.kernels.request import KernelRequest
from mlkit.notebook.kernels.surroundings import fixed_at_start

__all__ = ["ForkingProvisioner"]

PRELOAD = "MLKIT_PRELOAD"
POLITE_S = 2.0

_lock = threading.Lock()
_zygotes: dict[object, tuple[Leash, Zygote]] = {}


class ForkingProvisioner(ForkProvisioner):
    """Forks kernels of this interpreter; starts any other kernel as jupyter_client does.

    Attributes
    ----------
    preload : list of str
        Modules to import ahead: from `metadata.kernel_provisioner.config.preload` in kernel.json,
        or from the environment variable `MLKIT_PRELOAD`, separated by commas.
    """

    preload: Any = List(Unicode(), help="Modules to import ahead").tag(config=True)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Take working directory and environment from the caller."""
        self._files = (_number(kwargs.get("stdout"), 1), _number(kwargs.get("stderr"), 2))
        self.request = KernelRequest(
            cwd=Path(kwargs.get("cwd") or Path.cwd()),
            env=kwargs.get("env") or dict(os.environ),
            log=Path(os.devnull),
        )
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel, on the leash of the zygote that suits it."""
        names = tuple(self.preload) or tuple(os.environ.get(PRELOAD, "").replace(",", " ").split())
        self.leash, self.zygote = _shared(names, self.request.env)
        self.serial = self.leash.serial()
        return await super().launch_kernel(cmd, **kwargs)

    async def begin(self, command: list[str], env: dict[str, str]) -> KernelProcess:
        """Fork, where the command starts an IPython kernel of this interpreter."""
        if LAUNCHER in command and Path(command[0]) == Path(sys.executable):
            return await super().begin(command, env)
        return await SpawnProvisioner.begin(self, command, env)

    async def shutdown_requested(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002
        """Wait for the end here, so that jupyter_client's poll finds it at its first look."""
        try:
            await asyncio.wait_for(self.ended(), timeout=POLITE_S)
        except TimeoutError:
            self.log.debug("the kernel takes its time to end")

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - not ours
        """Kill what the kernel has left behind."""
        self.kill_all()
        await super().cleanup(restart=restart)

    @contextmanager
    def streams(self) -> Iterator[tuple[int, int]]:
        """Give the kernel the caller's stdout and stderr, as jupyter_client does."""
        yield self._files


def _number(stream: Any, usual: int) -> int:
    """The file descriptor meant by a `subprocess.Popen` argument."""
    if stream is None:
        return usual
    return int(stream) if isinstance(stream, int) else int(stream.fileno())


def _shared(preload: tuple[str, ...], env: Mapping[str, str]) -> tuple[Leash, Zygote]:
    """Give this process's zygote for these modules and surroundings, made at the first call."""
    fixed = frozenset((name, value) for name, value in env.items() if fixed_at_start(name))
    key = (os.getpid(), preload, fixed)
    with _lock:
        if key not in _zygotes:
            leash = Leash()
            say = logging.getLogger("mlkit.kernels").warning
            _zygotes[key] = (leash, Zygote(leash, preload=preload, env=env, say=say))
            atexit.register(_close, key)
        return _zygotes[key]


def _close(key: object) -> None:
    """End a zygote and its kernels with this process."""
    leash, zygote = _zygotes.pop(key)
    zygote.close()
    leash.close()
