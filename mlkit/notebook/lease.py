"""The kernel of one execution: started, replaced if it does not answer, and ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbclient.exceptions import DeadKernelError

from mlkit.core.kept_kernel import Keeping, KeptKernel
from mlkit.core.record import ErrorRecord
from mlkit.notebook.cell_client import CellClient
from mlkit.notebook.kernels import KernelRequest, Kernels, end_kernel
from mlkit.notebook.log import AttemptLog

__all__ = ["START_LIMITS_S", "KernelLease"]

START_LIMITS_S = (10.0, 60.0, 120.0)
"""Seconds in which the first, second and third kernel must answer; a start is no attempt."""


class KernelLease:
    """One kernel at a time, and the client that talks to it.

    Parameters
    ----------
    kernels : Kernels
        Where kernels come from.
    notebook : NotebookNode
        The notebook that the client executes.
    log : AttemptLog
        Receives what the notebook prints.
    """

    def __init__(self, kernels: Kernels, notebook: Any, log: AttemptLog) -> None:
        self._kernels = kernels
        self._notebook = notebook
        self._log = log
        self.manager: Any = None
        self.client: CellClient | None = None

    async def start(self, request: KernelRequest, opening: str) -> tuple[CellClient, Any]:
        """Start a kernel; one that does not answer is thrown away and replaced by a stock one.

        Parameters
        ----------
        request : KernelRequest
            What the kernel is to be like.
        opening : str
            Code to execute before anything else; it is under way when the kernel counts as ready.
            None if it is empty.

        Returns
        -------
        CellClient
            Executes cells.
        KernelClient
            The kernel's channels.

        Raises
        ------
        RuntimeError
            If none of them answered.
        DeadKernelError
            If one of them wants to be replaced, see `again`.
        """
        failure = ""
        for limit_s in START_LIMITS_S:
            try:
                self.manager = self._kernels.manager(request)
                self.client = CellClient(self._notebook, self.manager, self._log)
                async with asyncio.timeout(limit_s):
                    channels = self.client.connect()  # a spare kernel listens already
                    await self.manager.start_kernel()
                    if opening:
                        channels.execute(
                            opening, silent=True, store_history=False, stop_on_error=False
                        )
                    await channels.wait_for_ready(timeout=limit_s)
            except (TimeoutError, RuntimeError) as error:
                if self.again:
                    raise DeadKernelError(self.again) from error
                failure = str(error) or f"no answer in {limit_s:.0f} s"
                await self.end(grace_s=0)
                self._log.write(f"mlkit: another kernel is started, a stock one: {failure}\n")
                request = replace(request, preload_ok=False)
                continue
            return self.client, channels
        raise RuntimeError(failure)

    @property
    def again(self) -> str:
        """Why the present kernel wants the work to begin again in a stock one, or nothing."""
        kernel = getattr(getattr(self.manager, "provisioner", None), "kernel", None)
        return kernel.again if kernel is not None else ""

    @property
    def unstable(self) -> tuple[str, ...]:
        """What the present kernel says against relying on its result."""
        kernel = getattr(getattr(self.manager, "provisioner", None), "kernel", None)
        if kernel is not None:
            kernel.poll()  # takes in what it has said
        return tuple(kernel.unstable) if kernel is not None else ()

    async def keep(self, keeping: Keeping, error: ErrorRecord, folder: Path) -> KeptKernel:
        """Hand the kernel over to a keeper; the channels to it are closed.

        Raises
        ------
        NotKeptError
            If it cannot be kept; it is then still to be ended.
        """
        # only where a kernel is kept
        from mlkit.notebook.kernels.keeping import keep_kernel

        if self.client is not None:
            self.client.close()
        return await asyncio.to_thread(keep_kernel, self.manager, keeping, error, folder)

    async def end(self, *, grace_s: float) -> None:
        """Close the channels to the present kernel, and end it."""
        if self.client is not None:
            self.client.close()
        if self.manager is not None:
            await end_kernel(self.manager, grace_s=grace_s)
