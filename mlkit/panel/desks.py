"""Kernels of stages in the JupyterLab that is open: on real inputs, or as one stood as it failed.

`mlkit edit` and `mlkit debug --live` serve a JupyterLab of their own. Here the user's own is there
already, and keeps its way with files: the source is opened as it is, the stage's environment and
folder come with its kernel, and the page hands the injected values to the kernel behind the
notebook's own defaults.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server._tz import utcnow
from tornado.web import HTTPError

from mlkit.api.live_stage import LiveStage, live_stage, take_over_stage
from mlkit.api.stage_desk import Editing, edit
from mlkit.core.kept_kernel import KeptKernel
from mlkit.lab.kernels import surroundings, tell_end, without_provisioner
from mlkit.notebook.kernels.kept_kernels import kept_kernels
from mlkit.notebook.kernelspecs import named_in_metadata
from mlkit.panel.form import Form
from mlkit.panel.workspace import Workspace

__all__ = ["Desks"]

InThread = Callable[..., Awaitable[Any]]


class Desks:
    """The stages that are worked on in one server.

    Parameters
    ----------
    kernels : MappingKernelManager
        What starts its kernels.
    in_thread : callable
        Does something that takes its time.
    """

    def __init__(self, kernels: Any, in_thread: InThread) -> None:
        self._kernels, self._in_thread = kernels, in_thread
        self._folders: dict[str, contextlib.ExitStack] = {}
        self._adopted: dict[Path, str] = {}

    async def open(self, form: Form, stage: str, workspace: Workspace) -> dict[str, Any]:
        """Bring what a stage reads up to date, and start its kernel as the pipeline would.

        Raises
        ------
        MlkitError
            If there is no such stage, or one upstream of it failed.
        """
        self._clear()
        held = contextlib.ExitStack()
        editing: Editing = await self._in_thread(partial(_lay_out, held, form, stage))
        desk = editing.desk
        desk.tidy()
        try:
            started = await ensure_async(
                self._kernels.start_kernel(
                    kernel_name=named_in_metadata(desk.kernel)["name"],
                    cwd=str(desk.cwd),
                    **surroundings(desk, None, self._kernels),
                )
            )
        except BaseException:
            held.close()
            raise
        self._folders[started] = held
        return {
            "path": workspace.path(desk.notebook),
            "kernel": started,
            "stage": desk.stage_id,
            "cell": desk.cell,
            "run_id": None if editing.record is None else editing.record.run_id,
        }

    async def attach(self, form: Form, run: str, stage: str, root: Workspace) -> dict[str, Any]:
        """Take in the kernel that was kept of a stage, with its notebook, at the failed cell.

        Raises
        ------
        MlkitError
            If none is kept.
        """
        self._clear()
        found: LiveStage = await self._in_thread(live_stage, run, stage, form.file)
        kept = found.kept
        connection = Path(kept.connection)
        kernel = self._adopted.get(connection)
        if kernel is None or kernel not in self._kernels:
            kernel = self._adopted[connection] = self._adopt(kept)
        return {
            "path": root.path(found.notebook.path),
            "kernel": kernel,
            "stage": kept.stage,
            "at": found.notebook.cell,
            "until": kept.clock,
            "raised": kept.error,
        }

    async def take_over(self, form: Form, run: str, stage: str) -> dict[str, Any]:
        """Write what was corrected there into the source.

        Raises
        ------
        MlkitError
            If the source has changed since.
        """
        source, changed = await self._in_thread(take_over_stage, run, stage, form.file)
        return {"notebook": Path(source).name, "changed": changed}

    def _clear(self) -> None:
        """Forget kernels that have ended: the folders of our own, and those that were kept."""
        for kernel in [each for each in self._folders if each not in self._kernels]:
            self._folders.pop(kernel).close()
        for connection in [each for each in self._adopted if not each.exists()]:
            kernel = self._adopted.pop(connection)
            if kernel in self._kernels:
                self._kernels.remove_kernel(kernel)

    def _adopt(self, kept: KeptKernel) -> str:
        """Let the server know a kernel that a keeper holds, as it knows one that it has started.

        Its own way takes in all connection files of one folder, for the whole server.
        """
        kernels = self._kernels
        manager = kernels.kernel_manager_factory(parent=kernels, log=kernels.log, owns_kernel=False)
        manager.load_connection_info(json.loads(Path(kept.connection).read_text("utf-8")))
        name = str(kernels.new_kernel_id())
        manager.kernel_id, manager.kernel_name = name, manager.kernel_name or "python3"
        manager.execution_state, manager.last_activity = "idle", utcnow()
        manager.connections = 0
        manager.ready.set_result(None)
        manager.interrupt_kernel = partial(_interrupt, kept.pid)
        manager.restart_kernel = _refuse_restart
        without_provisioner(manager)
        kernels._kernels[name] = manager
        kernels._kernel_connections[name] = 0
        kernels._kernel_ports[name] = manager.ports
        kernels.start_watching_activity(name)
        tell_end(kernels, name, partial(_is_kept, kept))
        return name


def _lay_out(held: contextlib.ExitStack, form: Form, stage: str) -> Editing:
    return held.enter_context(edit(stage, form.file, layers=form.layers, options=form.options))


def _is_kept(kept: KeptKernel) -> bool:
    return any(each.id == kept.id for each in kept_kernels())


async def _interrupt(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGINT)


async def _refuse_restart(**_: Any) -> None:
    raise HTTPError(
        409,
        "This kernel is kept as it stood when its stage failed: restarted, it would have nothing "
        "of that.",
    )
