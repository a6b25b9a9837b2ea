"""Stock kernels: a fresh interpreter for each."""

from __future__ import annotations

import threading
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.request import KernelKind, KernelRequest

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
        self._managers: weakref.WeakSet[LeashedKernelManager] = weakref.WeakSet()

    @property
    def kind(self) -> KernelKind:
        """Always `spawn`."""
        return "spawn"

    def manager(self, request: KernelRequest) -> LeashedKernelManager:
        """Make a manager whose stock kernel is not yet started."""
        from mlkit.notebook.kernels.manager import make_manager, shared_context
        from mlkit.notebook.kernels.provision import SpawnProvisioner

        with self._lock:
            if self._context is None:
                self._context = shared_context()
            manager = make_manager(SpawnProvisioner, request, self._leash, self._context)
            self._managers.add(manager)
        return manager

    def prepare(self, count: int = 1) -> None:
        """Nothing: a stock kernel started ahead of need costs as much as one started later."""

    def close(self) -> None:
        """Kill every kernel that is still alive, with all it has started, and remove the folder."""
        with self._lock:
            for manager in list(self._managers):
                from mlkit.notebook.kernels.manager import kill

                kill(manager)
            self._leash.close()
            if self._context is not None:
                self._context.destroy(linger=0)
                self._context = None

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
