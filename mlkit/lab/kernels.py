"""How JupyterLab's server starts the kernel of a stage that is worked on."""

from __future__ import annotations

import sys
from typing import Any, cast

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from mlkit.lab.desk import Desk
from mlkit.notebook.hand_over import in_kernel, with_hand_over
from mlkit.notebook.kernels.request import USUAL_ARGUMENTS
from mlkit.notebook.kernelspecs import named_in_metadata

__all__ = ["OwnKernelSpecs", "StageKernels"]

_OWN = named_in_metadata(None)["name"]


class OwnKernelSpecs(KernelSpecManager):
    """The kernels that are installed; the usual one is mlkit's own Python, as in a run."""

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

    def work_on(self, desk: Desk, path: str) -> None:
        """Say which notebook is worked on."""
        self.desk, self.desk_path = desk, path
        self._own: set[str] = set()

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
            kwargs |= self._surroundings(self.desk, kwargs.get("kernel_name"))
        started: str = await super()._async_start_kernel(
            kernel_id=kernel_id, path=cast("Any", path), **kwargs
        )
        if is_own:
            self._own.add(started)
        return started

    start_kernel = _async_start_kernel  # type: ignore[assignment] # as jupyter_server's own

    async def _async_restart_kernel(self, kernel_id: str, now: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature is jupyter_server's
        """Restart a kernel; a stage's finds its folders empty, as an attempt does."""
        if self.desk is not None and kernel_id in self._own:
            self.desk.tidy()
        await super()._async_restart_kernel(kernel_id, now=now)

    restart_kernel = _async_restart_kernel  # type: ignore[assignment] # as jupyter_server's own

    def _surroundings(self, desk: Desk, chosen: str | None) -> dict[str, Any]:
        """Environment and first line of a stage's kernel; of another that was chosen, the first."""
        env = dict(desk.env)
        code = in_kernel(desk.kernel)
        if not code or chosen not in (None, named_in_metadata(desk.kernel)["name"]):
            return {"env": env}
        folder = str(desk.notebook.parent)
        spec = OwnKernelSpecs(parent=self).get_kernel_spec(named_in_metadata(desk.kernel)["name"])
        if not any("ipykernel" in argument for argument in spec.argv):
            given = env.get("PYTHONPATH")
            return {"env": {**env, "PYTHONPATH": f"{folder}:{given}" if given else folder}}
        line = f"{code}.begin({folder!r})"
        return {
            "env": dict(with_hand_over(env, desk.kernel)),
            "extra_arguments": [*USUAL_ARGUMENTS, f"--IPKernelApp.exec_lines={line}"],
        }
