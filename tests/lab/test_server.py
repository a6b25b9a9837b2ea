"""The end of JupyterLab's server."""

from __future__ import annotations

import asyncio
import threading
import time

import anyio.to_thread

from mlkit.lab.server import _end


def test_the_end_leaves_no_thread_that_waits_for_ever() -> None:
    """A request that was there at Ctrl-C is finished, and its worker with it."""
    loop, saved = asyncio.new_event_loop(), []

    async def save() -> None:
        await anyio.to_thread.run_sync(time.sleep, 0.2)
        saved.append("the notebook")

    before = set(threading.enumerate())
    request = loop.create_task(save())
    endless = loop.create_task(asyncio.sleep(1000))
    loop.call_later(0.1, loop.stop)
    loop.run_forever()
    (worker,) = set(threading.enumerate()) - before
    assert not request.done()
    _end(loop, finish_s=1.0)
    worker.join(10)
    assert not worker.is_alive()
    assert saved == ["the notebook"]
    assert endless.cancelled()
    loop.close()
