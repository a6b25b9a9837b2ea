"""A kernel client without fixed waits."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import KernelManager

__all__ = ["ReadyClient"]


class ReadyClient(AsyncKernelClient):
    """Is ready as soon as the kernel is: no 0.2 s of silence, no poll, no heartbeat thread.

    A kernel made by one of mlkit's managers is known to live by its process; others are asked as
    jupyter_client's own client asks them.
    """

    def start_channels(
        self,
        shell: bool = True,  # noqa: FBT001, FBT002 - the signature is jupyter_client's
        iopub: bool = True,  # noqa: FBT001, FBT002 - the signature is jupyter_client's
        stdin: bool = True,  # noqa: FBT001, FBT002 - the signature is jupyter_client's
        hb: bool = True,  # noqa: FBT001, FBT002 - the signature is jupyter_client's
        control: bool = True,  # noqa: FBT001, FBT002 - the signature is jupyter_client's
    ) -> None:
        """Start the channels that are used; the heartbeat only where there is no manager."""
        managed = isinstance(self.parent, KernelManager)
        super().start_channels(
            shell=shell, iopub=iopub, stdin=stdin, hb=hb and not managed, control=control
        )

    def stop_channels(self) -> None:
        """Stop the channels that were started; those that were not are not made for it."""
        for name in ("shell", "iopub", "stdin", "hb", "control"):
            channel = getattr(self, f"_{name}_channel")
            if channel is not None and channel.is_alive():
                channel.stop()
        if self._created_context and not self.context.closed:
            self.context.destroy(linger=100)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait for the reply to one kernel_info request, and for the output channel to be live.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at the most.

        Raises
        ------
        RuntimeError
            If the kernel died, or did not answer in time.
        """
        asked = self.kernel_info()
        waits = [
            asyncio.ensure_future(self._first(self.shell_channel, asked)),
            asyncio.ensure_future(self._first(self.iopub_channel, asked)),
        ]
        death: asyncio.Future[Any] = asyncio.ensure_future(self._death())
        both: asyncio.Future[Any] = asyncio.gather(*waits)
        try:
            await asyncio.wait([both, death], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if both.done():
                self._handle_kernel_info_reply(both.result()[0])
                return
            if death.done():
                raise RuntimeError("Kernel died before replying to kernel_info")
            raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")
        finally:
            both.cancel()
            death.cancel()
            await asyncio.gather(both, death, *waits, return_exceptions=True)

    async def _first(self, channel: Any, asked: str) -> dict[str, Any]:
        """The message that shows the channel to be live: the reply; idle, or the welcome."""
        while True:
            message: dict[str, Any] = await channel.get_msg(timeout=None)
            kind, content = message["msg_type"], message["content"]
            mine = message["parent_header"].get("msg_id") == asked
            idle = kind == "status" and content["execution_state"] == "idle"
            if kind == "iopub_welcome" or (mine and (idle or kind == "kernel_info_reply")):
                return message

    async def _death(self) -> None:
        """Return when the kernel has died; for a kernel of another manager, look every second."""
        ended = getattr(getattr(self.parent, "provisioner", None), "ended", None)
        if ended is not None:
            await ended()
            return
        while await self.is_alive():
            await asyncio.sleep(1)
