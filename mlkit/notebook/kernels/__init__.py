"""Kernels for notebook stages: start them, watch them, end them.

`open_kernels` is cheap (standard library only; it starts the helper processes), so call it before
importing Papermill; what needs jupyter_client is imported with the first `Kernels.manager`.

* `open_kernels(kind, preload=..., env=..., say=...)` gives a `Kernels`. `env` is the environment
  with which the forking process starts (default: this process's, with `PYTHONHASHSEED=0`): what is
  fixed when an interpreter starts or a library is imported (hash seed, locale, thread counts) is
  fixed by it, so a request that differs there gets a stock kernel.
* `Kernels.manager(request)` gives an `AsyncKernelManager`, not yet started, for nbclient's `km=`;
  working directory and environment come from the request, whatever `start_kernel` is told. Its
  client is a `ReadyClient`.
* nbclient does not end a kernel whose manager it was given: call `end_kernel` (from any thread or
  event loop), after the client's channels are stopped.
* `wait_dead`, `interrupt` (the process group, as Jupyter does) and `kill` act on such a manager.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mlkit.core.policies import KernelKind

if TYPE_CHECKING:
    from mlkit.notebook.kernels.client import ReadyClient
    from mlkit.notebook.kernels.kernel_supply import Kernels, open_kernels
    from mlkit.notebook.kernels.manager import (
        LeashedKernelManager,
        end_kernel,
        interrupt,
        kill,
        wait_dead,
    )
    from mlkit.notebook.kernels.request import KernelRequest

__all__ = [
    "KernelKind",
    "KernelRequest",
    "Kernels",
    "LeashedKernelManager",
    "ReadyClient",
    "end_kernel",
    "interrupt",
    "kill",
    "open_kernels",
    "wait_dead",
]

_HOMES = {
    "ReadyClient": "client",
    "KernelRequest": "request",
    "Kernels": "kernel_supply",
    "LeashedKernelManager": "manager",
    "end_kernel": "manager",
    "interrupt": "manager",
    "kill": "manager",
    "open_kernels": "kernel_supply",
    "wait_dead": "manager",
}


def __getattr__(name: str) -> Any:
    """Import on first use: what kept kernels are asked by needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
