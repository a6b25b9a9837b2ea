"""How JupyterLab's server starts the kernel of a stage that is worked on."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.handlers import KernelActionHandler
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError
from traitlets import Bool

from mlkit.lab.desk import Desk
from mlkit.notebook.hand_over import in_kernel, with_hand_over
from mlkit.notebook.kernels.request import USUAL_ARGUMENTS
from mlkit.notebook.kernelspecs import named_in_metadata

__all__ = [
    "RESTARTS",
    "KernelActions",
    "OwnKernelSpecs",
    "StageKernels",
    "surroundings",
    "tell_end",
    "without_provisioner",
]

RESTARTS = r"/api/kernels/(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)/(?P<action>restart)"
"""Where JupyterLab asks for a kernel's restart."""

_LOOKS_EVERY_S = 1.0
_OWN = named_in_metadata(None)["name"]


class OwnKernelSpecs(KernelSpecManager):
    """The kernels that are installed; the usual one is mlkit's own Python, as in a run."""

    can_debug = Bool(True, help="Whether the kernels have a debugger.").tag(config=True)
    """One that was forked has none, and JupyterLab's would ask it for its state in vain."""

    def get_all_specs(self) -> dict[str, Any]:
        """Give all of them, as JupyterLab asks for them."""
        found: dict[str, Any] = super().get_all_specs()
        for each in found.values() if not self.can_debug else ():
            each["spec"].get("metadata", {}).pop("debugger", None)
        return found

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Give a kernel's specification; somebody may have installed another `python3`."""
        spec = super().get_kernel_spec(kernel_name)
        if kernel_name == _OWN:
            spec.argv = [
                *(sys.executable, "-Xfrozen_modules=off"),
                *("-m", "ipykernel_launcher", "-f", "{connection_file}"),
            ]
        return spec


class StageKernels(AsyncMappingKernelManager):
    """Starts the kernel of one notebook as a run would; all others as ever."""

    desk: Desk | None = None
    desk_path: str | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._adopted: dict[str, Callable[[int], None]] = {}

    def work_on(self, desk: Desk, path: str) -> None:
        """Say which notebook is worked on."""
        self.desk, self.desk_path = desk, path
        self._own: set[str] = set()

    def adopt(self, connection: Path, signal_kernel: Callable[[int], None]) -> str:
        """Take a kernel in that somebody else holds, and give its id.

        Parameters
        ----------
        connection : Path
            Its connection file, alone in its folder, which the server was told of.
        signal_kernel : callable
            Sends it a signal.
        """
        self.list_kernel_ids()
        adopted = next(
            name for name, file in self.kernel_id_to_connection_file.items() if file == connection
        )
        # what the server else notes when it has started a kernel
        self._kernel_connections[adopted] = 0
        self._kernel_ports[adopted] = self.get_kernel(adopted).ports
        self.start_watching_activity(adopted)
        without_provisioner(self.get_kernel(adopted))
        tell_end(self, adopted, connection.exists)
        self._adopted[adopted] = signal_kernel
        return adopted

    def remove_kernel(self, kernel_id: str) -> Any:
        """Forget a kernel; one that somebody else holds is found anew as long as it lives."""
        self.kernel_id_to_connection_file.pop(kernel_id, None)
        return super().remove_kernel(kernel_id)

    async def _async_interrupt_kernel(self, kernel_id: str) -> None:
        """Interrupt a kernel, also one that somebody else holds."""
        if kernel_id in self._adopted:
            self._adopted[kernel_id](signal.SIGINT)
            return
        await ensure_async(super().interrupt_kernel(kernel_id))

    interrupt_kernel = _async_interrupt_kernel  # type: ignore[assignment] # as jupyter_server's own

    def cwd_for_path(self, path: str, **kwargs: Any) -> str:
        """The folder in which a kernel starts."""
        if self.desk is not None and path == self.desk_path:
            return str(self.desk.cwd)
        found: str = super().cwd_for_path(path, **kwargs)
        return found

    async def _async_start_kernel(
        self, *, kernel_id: str | None = None, path: str | None = None, **kwargs: Any
    ) -> str:
        """Start a kernel, or take the one that runs already."""
        is_own = self.desk is not None and path is not None and path == self.desk_path
        if is_own and (kernel_id is None or kernel_id not in self):
            assert self.desk is not None
            self.desk.tidy()
            kwargs |= surroundings(self.desk, kwargs.get("kernel_name"), self)
        started: str = await super()._async_start_kernel(
            kernel_id=kernel_id, path=cast("Any", path), **kwargs
        )
        if is_own:
            self._own.add(started)
        return started

    start_kernel = _async_start_kernel  # type: ignore[assignment] # as jupyter_server's own

    async def _async_restart_kernel(self, kernel_id: str, now: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature is jupyter_server's
        """Restart a kernel; a stage's finds its folders empty, as an attempt does."""
        if kernel_id in self._adopted:
            raise HTTPError(
                409,
                "This kernel is kept as it stood when its stage failed: restarted, it would have "
                "nothing of that. 'mlkit debug' without --live starts the stage anew.",
            )
        if self.desk is not None and kernel_id in self._own:
            self.desk.tidy()
        await super()._async_restart_kernel(kernel_id, now=now)

    restart_kernel = _async_restart_kernel  # type: ignore[assignment] # as jupyter_server's own


def without_provisioner(manager: Any) -> None:
    """Say of a kernel that somebody else holds where its paths lead: nowhere that is known.

    JupyterLab asks that of every kernel whose traceback it shows, and jupyter_client of what has
    started it.

    Parameters
    ----------
    manager : KernelManager
        The kernel's.
    """
    manager.resolve_path = lambda path: None


def tell_end(kernels: Any, kernel_id: str, lives: Callable[[], bool]) -> None:
    """Tell pages when a kernel that somebody else holds has ended: its channels only fall silent.

    Parameters
    ----------
    kernels : MappingKernelManager
        What has taken it in.
    kernel_id : str
        The kernel.
    lives : callable
        Whether it is held still; asked again and again.
    """
    listening: list[Callable[[], object]] = []

    def add(callback: Callable[[], object], event: str = "restart") -> None:
        if event == "dead":
            listening.append(callback)

    def remove(callback: Callable[[], object], event: str = "restart") -> None:
        if event == "dead" and callback in listening:
            listening.remove(callback)

    def look() -> None:
        if lives():
            loop.call_later(_LOOKS_EVERY_S, look)  # no task, which the server's end would wait for
            return
        for callback in list(listening):
            callback()
        if kernel_id in kernels:
            manager.execution_state = "dead"
            kernels.remove_kernel(kernel_id)

    loop = asyncio.get_running_loop()
    manager = kernels.get_kernel(kernel_id)
    manager.add_restart_callback, manager.remove_restart_callback = add, remove
    look()


def surroundings(desk: Desk, chosen: str | None, parent: Any) -> dict[str, Any]:
    """Environment and first line of a stage's kernel; of another that was chosen, the first.

    Parameters
    ----------
    desk : Desk
        The stage.
    chosen : str or None
        The kernel that somebody has chosen; None is the stage's own.
    parent : Configurable
        What finds the kernels that are installed.
    """
    env = dict(desk.env)
    code = in_kernel(desk.kernel)
    if not code or chosen not in (None, named_in_metadata(desk.kernel)["name"]):
        return {"env": env}
    folder = str(desk.notebook.parent)
    spec = OwnKernelSpecs(parent=parent).get_kernel_spec(named_in_metadata(desk.kernel)["name"])
    if not any("ipykernel" in argument for argument in spec.argv):
        given = env.get("PYTHONPATH")
        return {"env": {**env, "PYTHONPATH": f"{folder}:{given}" if given else folder}}
    line = f"{code}.begin({folder!r})"
    return {
        "env": dict(with_hand_over(env, desk.kernel)),
        "extra_arguments": [*USUAL_ARGUMENTS, f"--IPKernelApp.exec_lines={line}"],
    }


class KernelActions(KernelActionHandler):
    """Says why a kernel is not restarted: jupyter_server's own answers 500 to every exception."""

    async def post(self, kernel_id: str, action: str) -> None:
        """Restart a kernel; a refusal is answered as it was raised."""
        try:
            await ensure_async(super().post(kernel_id, action))
        except HTTPError as error:
            refusal = error.__cause__
            raise (refusal if isinstance(refusal, HTTPError) else error) from None
