"""A kernel client without fixed waits."""

from __future__ import annotations

import asyncio
from typing import Any

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import KernelManager
from traitlets import Type

__all__ = ["ReadyClient"]

ASK_AGAIN_S = 0.5


class AttentiveChannel(AsyncZMQSocketChannel):
    """A channel that does not miss what arrives while it sends.

    ZeroMQ tells once that something has arrived. jupyter_client sends past the socket's own event
    loop; if that sending is what takes the notice in, the reader that waits for the message is
    never woken, neither by this message nor by any later one, and the kernel seems not to answer.
    """

    def send(self, msg: dict[str, Any]) -> None:
        """Send a message, then look whether anything has come."""
        super().send(msg)
        self.socket.get(zmq.EVENTS)


class ReadyClient(AsyncKernelClient):
    """Is ready as soon as the kernel is: no 0.2 s of silence, no poll, no heartbeat thread.

    A kernel made by one of mlkit's managers is known to live by its process; others are asked as
    jupyter_client's own client asks them.
    """

    shell_channel_class = Type(AttentiveChannel)
    control_channel_class = Type(AttentiveChannel)
    stdin_channel_class = Type(AttentiveChannel)

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
        """Wait for a reply to kernel_info, and for a first message on the output channel.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at the most.

        Raises
        ------
        RuntimeError
            If the kernel died, or did not answer in time.
        """
        waits = [
            asyncio.ensure_future(_first(self.shell_channel, "kernel_info_reply")),
            asyncio.ensure_future(_first(self.iopub_channel)),
        ]
        asking = asyncio.ensure_future(self._ask_again_and_again())
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
            for task in (both, death, asking):
                task.cancel()
            await asyncio.gather(both, death, asking, *waits, return_exceptions=True)

    async def _ask_again_and_again(self) -> None:
        """Request kernel_info, and once more while an answer is missing.

        What a kernel says before the subscription to its output has arrived is lost, and so, very
        rarely, is the welcome that ipykernel sends when it arrives; then nothing more would come.
        """
        while True:
            self.kernel_info()
            await asyncio.sleep(ASK_AGAIN_S)

    async def _death(self) -> None:
        """Return when the kernel has died; for a kernel of another manager, look every second."""
        ended = getattr(getattr(self.parent, "provisioner", None), "ended", None)
        if ended is not None:
            await ended()
            return
        while await self.is_alive():
            await asyncio.sleep(1)


async def _first(channel: Any, kind: str | None = None) -> dict[str, Any]:
    """Give the first message, of a kind or of any, which shows that the channel is live."""
    while True:
        message: dict[str, Any] = await channel.get_msg(timeout=None)
        if kind in {None, message["msg_type"]}:
            return message
