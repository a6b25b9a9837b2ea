"""The client that executes cells: nbclient's, with a log and an ear for how cells end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from jupyter_client.client import KernelClient
from nbclient import NotebookClient

from mlkit.notebook import failures
from mlkit.notebook.log import AttemptLog
from mlkit.notebook.streams import merge_streams

__all__ = ["CellClient", "ask"]

QUESTION_TIMEOUT_S = 30.0


class CellClient(NotebookClient):
    """nbclient's client: it also writes the log and keeps the error that ended the notebook.

    Parameters
    ----------
    notebook : NotebookNode
        Receives the outputs.
    manager : AsyncKernelManager
        The kernel's.
    log : AttemptLog
        Receives what is printed.
    """

    def __init__(self, notebook: Any, manager: Any, log: AttemptLog) -> None:
        super().__init__(
            notebook, km=manager, timeout=None, iopub_timeout=60, coalesce_streams=False
        )
        self.attempt_log = log
        self.failure: dict[str, Any] = {}
        self.wants_exit = False
        self.on_cell_executed = self._look_at_reply

    def connect(self) -> Any:
        """Open the channels to the kernel."""
        assert self.km is not None
        self.kc = self.km.client()
        self.kc.start_channels()
        self.kc.allow_stdin = False
        return self.kc

    def close(self) -> None:
        """Close the channels."""
        if self.kc is not None:
            self.kc.stop_channels()
            self.kc = None

    def _look_at_reply(self, *, execute_reply: Mapping[str, Any], **_: Any) -> None:
        content = execute_reply["content"]
        self.wants_exit = any(
            item.get("source") == "ask_exit" for item in content.get("payload", ())
        )
        if content.get("status") == "error":
            self.failure = dict(content)

    async def _check_raise_for_error(
        self, cell: Any, cell_index: int, exec_reply: dict[str, Any] | None
    ) -> None:
        """Settle what the cell printed, then raise if it failed; nbclient calls this at its end."""
        if cell.outputs:
            cell.outputs = merge_streams(cell.outputs)
        await super()._check_raise_for_error(cell, cell_index, exec_reply)

    def output(self, outs: Any, msg: Any, display_id: Any, cell_index: int) -> Any:
        """Keep an output, and write what is text into the log."""
        content = msg["content"]
        if msg["msg_type"] == "stream":
            self.attempt_log.write(content["text"])
        elif msg["msg_type"] == "error":
            text = "\n".join(content.get("traceback", ()))
            self.attempt_log.write(f"\n{failures.plain_text(text)}\n")
        return super().output(outs, msg, display_id, cell_index)


async def ask(kernel: KernelClient, code: str) -> None:
    """Execute a line that leaves no trace in the notebook."""
    sent = kernel.execute(code, silent=True, store_history=False, stop_on_error=False)
    deadline = asyncio.get_running_loop().time() + QUESTION_TIMEOUT_S
    while (left := deadline - asyncio.get_running_loop().time()) > 0:
        reply = await kernel.shell_channel.get_msg(timeout=left)
        if reply["parent_header"].get("msg_id") == sent:
            return
