"""The kernel manager that nbclient and Papermill are given, and what can be done to its kernel."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import Session

from mlkit.notebook.kernels.address import Address
from mlkit.notebook.kernels.client import ReadyClient
from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.provisioners import LeashedProvisioner
from mlkit.notebook.kernels.request import USUAL_ARGUMENTS, KernelRequest

__all__ = ["LeashedKernelManager", "end_kernel", "interrupt", "kill", "shared_context", "wait_dead"]

RECONNECT_MS = 5


class LeashedKernelManager(AsyncKernelManager):
    """An `AsyncKernelManager` for one kernel of this very interpreter, on private sockets."""

    address: Address

    def client(  # type: ignore[override] # as jupyter_client's own asynchronous manager does
        self, **kwargs: Any
    ) -> ReadyClient:
        """A client that shares this manager's ZeroMQ context."""
        client = super().client(**{"context": self.context, **kwargs})
        assert isinstance(client, ReadyClient)
        return client

    async def start_kernel(  # type: ignore[override] # see above
        self, **kwargs: Any
    ) -> None:
        """Start the kernel; the request decides working directory and environment.

        Without `extra_arguments` its history stays in memory, as nbclient's and Papermill's does.
        """
        spec = self.kernel_spec
        assert spec is not None
        is_ipython = any("ipykernel" in argument for argument in spec.argv)
        kwargs.setdefault("extra_arguments", list(USUAL_ARGUMENTS) if is_ipython else [])
        self._attempted_start = True
        if not self.address.file.exists():
            self.address.write()
        if spec.language.lower() != "python":
            self.address.lead_to_colons()
        self._connection_file_written = True
        command, kwargs = await self._async_pre_start_kernel(**kwargs)
        await self._async_launch_kernel(command, **kwargs)
        self._ready = asyncio.get_running_loop().create_future()
        self._ready.set_result(None)

    async def shutdown_kernel(  # type: ignore[override] # see above
        self,
        now: bool = False,  # noqa: FBT001, FBT002 - the signature is jupyter_client's
        restart: bool = False,  # noqa: FBT001, FBT002 - the signature is jupyter_client's
    ) -> None:
        """End the kernel, politely unless `now`."""
        self.shutting_down = True
        await end_kernel(self, grace_s=0 if now else 2.0)


def shared_context() -> zmq.asyncio.Context:
    """Make the ZeroMQ context that all kernels of one driver share.

    Sockets try again after 5 ms, not 100, while a kernel has not yet opened its end.
    """
    context = zmq.asyncio.Context()
    context.reconnect_ivl = RECONNECT_MS
    context.linger = 0
    return context


def make_manager(
    provisioner: type[LeashedProvisioner],
    request: KernelRequest,
    leash: Leash,
    address: Address,
    context: zmq.asyncio.Context,
) -> LeashedKernelManager:
    """Make a manager, not yet started, whose kernel the given provisioner will start."""
    spec = _own_spec() if request.kernel is None else _installed_spec(request.kernel.name)
    manager = LeashedKernelManager(
        kernel_name="python3" if request.kernel is None else request.kernel.name,
        kernel_id=f"{leash.token}-{address.serial}",
        connection_file=str(address.file),
        session=Session(key=address.key),
        context=context,
        client_factory=ReadyClient,
        **address.places,
    )
    manager._kernel_spec = spec
    manager.address = address
    started = provisioner(kernel_id=manager.kernel_id, kernel_spec=spec, parent=manager)
    started.request, started.leash, started.serial = request, leash, address.serial
    manager.provisioner = started
    return manager


def _own_spec() -> KernelSpec:
    return KernelSpec(
        argv=[
            *(sys.executable, "-Xfrozen_modules=off"),
            *("-m", "ipykernel_launcher", "-f", "{connection_file}"),
        ],
        display_name="Python 3",
        language="python",
    )


def _installed_spec(name: str) -> KernelSpec:
    """The specification of a kernel; where the pipeline was loaded it was there."""
    try:
        return KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel:
        raise RuntimeError(f"there is no kernel '{name}' where the attempt was to run") from None


async def wait_dead(manager: AsyncKernelManager) -> int:
    """Return when the kernel's process has ended: at once, by an event, not by polling.

    Parameters
    ----------
    manager : AsyncKernelManager
        One that `Kernels.manager` has made, started.

    Returns
    -------
    int
        The exit status; a signal's number negated (-9: killed, -11: segmentation fault).
    """
    return await _provisioner(manager).ended()


async def end_kernel(manager: AsyncKernelManager, *, grace_s: float = 2.0) -> None:
    """End a kernel and everything that it has started, and remove its sockets.

    It is asked politely first (an interrupt, then a shutdown request), and killed with its whole
    process group when it has not gone after `grace_s`. It may run on another thread and event loop
    than the kernel's client did, and twice.

    Parameters
    ----------
    manager : AsyncKernelManager
        One that `Kernels.manager` has made.
    grace_s : float
        Seconds that the kernel is given; 0 kills at once.
    """
    provisioner = _provisioner(manager)
    try:
        if provisioner.kernel is not None and provisioner.kernel.poll() is None and grace_s > 0:
            await _ask_to_end(manager)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(provisioner.kernel.done(), timeout=grace_s)
    finally:
        provisioner.kill_all()
        if provisioner.kernel is not None:
            await provisioner.kernel.done()
        provisioner.forget()
        if isinstance(manager, LeashedKernelManager):
            manager.address.remove()
        manager.cleanup_connection_file()
        manager.cleanup_ipc_files()
        manager._close_control_socket()


def interrupt(manager: AsyncKernelManager) -> None:
    """Send SIGINT to the kernel's process group, as Jupyter does; from any thread."""
    kernel = _provisioner(manager).kernel
    if kernel is not None:
        kernel.signal(signal.SIGINT)


def kill(manager: AsyncKernelManager) -> None:
    """Send SIGKILL to the kernel and to everything that it has started; from any thread."""
    _provisioner(manager).kill_all()


async def _ask_to_end(manager: AsyncKernelManager) -> None:
    """Interrupt, which ipykernel needs in order not to stall, then request the shutdown."""
    interrupt(manager)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.shadow(manager.context)
    socket = context.socket(zmq.DEALER)
    try:
        socket.connect(manager._make_url("control"))
        manager.session.send(socket, "shutdown_request", {"restart": False})
    finally:
        socket.close(linger=1000)


def _provisioner(manager: AsyncKernelManager) -> LeashedProvisioner:
    """The provisioner of a manager that `Kernels.manager` has made."""
    provisioner = manager.provisioner
    if not isinstance(provisioner, LeashedProvisioner):
        raise TypeError(f"{manager!r} was not made by mlkit's kernels")
    return provisioner
