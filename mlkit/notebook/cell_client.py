"""The client that executes cells: nbclient's, with a log and an ear for how cells end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from queue import Empty
from typing import Any

import nbclient.client
import nbclient.output_widget
from jupyter_client.client import KernelClient
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, CellExecutionError
from nbclient.util import ensure_async

from mlkit.notebook import failures
from mlkit.notebook.log import AttemptLog
from mlkit.notebook.outputs_of_messages import output_of
from mlkit.notebook.printed_text import merge_streams

__all__ = ["CellClient", "ask"]

QUESTION_TIMEOUT_S = 30.0

SKIPPED = "StageSkipped"
"""What `mlkit.skip` raises; it ends the stage wherever it is raised."""

TOLERATING_TAG = "raises-exception"
"""A cell with this tag may show errors, as nbclient and Papermill have it."""

# nbclient has no seam for it; it makes the same, so that others who use nbclient lose nothing.
for _module in (nbclient.client, nbclient.output_widget):
    vars(_module)["output_from_msg"] = output_of


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
        self.heard: Callable[[str], None] = lambda _: None
        """Told of what a cell prints, as it comes."""
        self.failure: dict[str, Any] = {}
        self.wants_exit = False
        self._shown_in_widgets: list[dict[str, Any]] = []
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

    async def _async_poll_kernel_alive(self) -> None:
        """Wait for ever: the session is told of the kernel's death at once, without polling."""
        await asyncio.Event().wait()

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
        """Settle what the cell printed, then raise if it failed; nbclient calls this at its end.

        A kernel replies "ok" also where a script of `%run`, a cell of `%%capture`, a nested
        `run_cell` or a hook after the cell has raised; what the cell shows tells.
        """
        if cell.outputs:
            cell.outputs = merge_streams(cell.outputs)
        shown = [dict(item) for item in cell.outputs if item["output_type"] == "error"]
        shown += self._shown_in_widgets
        self._shown_in_widgets = []
        if shown and self.failure.get("ename") == "NoneType":
            # the reply names what the code raised: nothing, where a value could not be shown
            self.failure = shown[-1]
        skipped = next((item for item in shown if item.get("ename") == SKIPPED), None)
        if skipped is None:
            await super()._check_raise_for_error(cell, cell_index, exec_reply)
        tolerated = TOLERATING_TAG in cell.metadata.get("tags", ())
        if skipped is not None or (shown and not tolerated):
            # the last one: it is the one whose class the kernel can still tell
            self.failure = skipped or shown[-1]
            raise CellExecutionError.from_cell_and_msg(cell, self.failure)

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Any, cell_index: int) -> None:
        """As nbclient does it; what an earlier cell's processes print late goes into the log."""
        assert self.kc is not None
        while True:
            message = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
            if message["parent_header"].get("msg_id") == parent_msg_id:
                try:
                    self.process_message(message, cell, cell_index)
                except CellExecutionComplete:
                    return
            else:
                self.log_late(message)

    def log_late(self, message: Mapping[str, Any]) -> None:
        """Write text that belongs to no cell under way into the log."""
        if message["msg_type"] == "stream":
            self.attempt_log.write(message["content"]["text"])

    def output(self, outs: Any, msg: Any, display_id: Any, cell_index: int) -> Any:
        """Keep an output, and write what is text into the log."""
        content = msg["content"]
        if msg["msg_type"] == "stream":
            self.attempt_log.write(content["text"])
            self.heard(content["text"])
        elif msg["msg_type"] == "error":
            text = "\n".join(content.get("traceback", ()))
            self.attempt_log.write(f"\n{failures.plain_text(text)}\n")
            if self.output_hook_stack[msg["parent_header"].get("msg_id")]:
                self._shown_in_widgets.append(dict(content))
        return super().output(outs, msg, display_id, cell_index)


async def ask(client: CellClient, kernel: KernelClient, code: str) -> None:
    """Execute a line that leaves no trace in the notebook; what is printed late is logged."""
    sent = kernel.execute(code, silent=True, store_history=False, stop_on_error=False)
    deadline = asyncio.get_running_loop().time() + QUESTION_TIMEOUT_S
    while (left := deadline - asyncio.get_running_loop().time()) > 0:
        reply = await kernel.shell_channel.get_msg(timeout=left)
        if reply["parent_header"].get("msg_id") == sent:
            break
    with contextlib.suppress(Empty):  # the answer is there; what else is printed comes or does not
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            message = await kernel.iopub_channel.get_msg(timeout=left)
            if message["parent_header"].get("msg_id") != sent:
                client.log_late(message)
            elif message["content"].get("execution_state") == "idle":
                return
