"""Ready means ready, and early."""

from __future__ import annotations

import asyncio
import statistics
import time

import pytest
from jupyter_client.manager import start_new_async_kernel

from mlkit.notebook.kernels import ReadyClient, end_kernel

from .conftest import Lab, execute

pytestmark = pytest.mark.kernel


def test_readiness_does_not_wait_for_silence(forked: Lab) -> None:
    """jupyter_client's own client waits for 0.2 s in which nothing is said."""

    async def seconds() -> float:
        manager = forked.manager()
        await execute(manager, "1")
        client = manager.client()
        client.start_channels()
        started = time.monotonic()
        await client.wait_for_ready(timeout=10)
        client.stop_channels()
        waited = time.monotonic() - started
        await end_kernel(manager)
        return waited

    assert statistics.median(asyncio.run(seconds()) for _ in range(5)) < 0.2


def test_output_right_after_readiness_is_not_lost(lab: Lab) -> None:
    """The output channel is live when the kernel counts as ready."""
    for number in range(3):
        assert lab.run(f"print({number})") == str(number)


def test_a_kernel_that_dies_at_its_start_is_reported_as_dead(lab: Lab) -> None:
    """Not after a minute, but when it is dead."""
    startup = lab.folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import os; os._exit(3)\n")
    started = time.monotonic()
    with pytest.raises(RuntimeError, match="died before"):
        lab.run("1", env={"IPYTHONDIR": str(lab.folder / "ipython")})
    assert time.monotonic() - started < 20


def test_a_kernel_that_does_not_answer_times_out(lab: Lab) -> None:
    """The deadline is the caller's."""

    async def wait() -> None:
        manager = lab.manager()
        await execute(manager, "1")
        client = manager.client()
        client.start_channels()
        client.execute("import time; time.sleep(60)")
        try:
            await client.wait_for_ready(timeout=0.2)
        finally:
            client.stop_channels()
            await end_kernel(manager, grace_s=0)

    with pytest.raises(RuntimeError, match="didn't respond in"):
        asyncio.run(wait())


def test_a_reply_that_comes_while_something_is_sent_is_not_missed(forked: Lab) -> None:
    """ZeroMQ tells of it once, and the sending takes that notice in."""

    async def reply() -> str:
        manager = forked.manager()
        await execute(manager, "1")
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=10)
            waiting = asyncio.ensure_future(client.shell_channel.get_msg(timeout=None))
            await asyncio.sleep(0)
            client.execute("1")
            time.sleep(1)
            client.execute("2")
            message = await asyncio.wait_for(waiting, timeout=5)
            return str(message["msg_type"])
        finally:
            client.stop_channels()
            await end_kernel(manager, grace_s=0)

    assert asyncio.run(reply()) == "execute_reply"


class Deaf(ReadyClient):
    """A client whose first requests do not reach the kernel."""

    missed = 0

    def kernel_info(self, *arguments: object, **options: object) -> str:
        """Pretend to send at first."""
        self.missed += 1
        if self.missed <= 2:
            return "lost"
        return str(super().kernel_info(*arguments, **options))


def test_a_request_that_was_lost_is_repeated(forked: Lab) -> None:
    """The kernel is asked again until it answers."""

    async def ask() -> int:
        manager = forked.manager()
        await execute(manager, "1")
        manager.client_factory = Deaf
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=30)
        client.stop_channels()
        await end_kernel(manager)
        assert isinstance(client, Deaf)
        return client.missed

    assert asyncio.run(ask()) == 3


def test_the_client_serves_kernels_of_other_managers_too() -> None:
    """It can be given to any asynchronous manager as its client class."""

    async def ask() -> str:
        manager, client = await start_new_async_kernel(kernel_name="python3")
        client.stop_channels()
        manager.client_class = "mlkit.notebook.kernels.client.ReadyClient"
        quick = manager.client()
        assert isinstance(quick, ReadyClient)
        quick.start_channels()
        await quick.wait_for_ready(timeout=30)
        reply = await quick.execute("1", reply=True, timeout=30)
        quick.stop_channels()
        await manager.shutdown_kernel(now=True)
        return str(reply["content"]["status"])

    assert asyncio.run(ask()) == "ok"
