"""Stock kernels: a fresh interpreter for each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mlkit.core.policies import KernelKind
from mlkit.notebook.kernels.address import Address
from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.request import KernelRequest

if TYPE_CHECKING:
    import zmq.asyncio

    from mlkit.notebook.kernels.manager import LeashedKernelManager

__all__ = ["SpawnKernels"]


class SpawnKernels:
    """Gives out stock kernels on a leash."""

    def __init__(self) -> None:
        self._leash = Leash()
        self._lock = threading.Lock()
        self._context: zmq.asyncio.Context | None = None

    @property
    def kind(self) -> KernelKind:
        """Always `spawn`."""
        return "spawn"

    def manager(self, request: KernelRequest) -> LeashedKernelManager:
        """Make a manager whose stock kernel is not yet started."""
        from mlkit.notebook.kernels.manager import make_manager
        from mlkit.notebook.kernels.provision import SpawnProvisioner

        return make_manager(SpawnProvisioner, request, self._leash, self._address(), self.context())

    def preload(self, names: Sequence[str]) -> None:
        """Nothing: a stock kernel imports everything itself."""

    def prepare(self, count: int = 1, *, first: Sequence[frozenset[str] | None] = ()) -> None:
        """Nothing: a stock kernel started ahead of need costs as much as one started later."""

    def close(self) -> None:
        """Kill every kernel that is still alive, with all it has started, and remove the folder."""
        self._leash.close()
        with self._lock:
            context, self._context = self._context, None
        if context is not None:
            context.destroy(linger=0)

    def context(self) -> zmq.asyncio.Context:
        """The ZeroMQ context that all these kernels share."""
        from mlkit.notebook.kernels.manager import shared_context

        with self._lock:
            if self._context is None:
                self._context = shared_context()
            return self._context

    def _address(self) -> Address:
        """An address that no other kernel has."""
        serial = self._leash.serial()
        return Address(serial=serial, stem=self._leash.folder / str(serial))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
