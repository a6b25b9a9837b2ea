"""What whoever gives out kernels offers, and the opening of kernels: forked where that is safe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from mlkit.core.policies import KernelKind
from mlkit.notebook.kernels.fork import ForkKernels
from mlkit.notebook.kernels.request import KernelRequest
from mlkit.notebook.kernels.spawn import SpawnKernels

if TYPE_CHECKING:
    from mlkit.notebook.kernels.manager import LeashedKernelManager

__all__ = ["Kernels", "open_kernels"]


class Kernels(Protocol):
    """Gives out kernels, one owner for each driver process; its methods are thread-safe."""

    @property
    def kind(self) -> KernelKind:
        """`fork` or `spawn`; a `fork` that is no longer to be had turns into `spawn`."""
        ...

    def manager(self, request: KernelRequest) -> LeashedKernelManager:
        """Make a manager whose kernel is not yet started."""
        ...

    def preload(self, names: Sequence[str]) -> None:
        """Say what to import ahead, where that was not known when the kernels were opened."""
        ...

    def prepare(self, count: int = 1, *, first: Sequence[frozenset[str] | None] = ()) -> None:
        """Get kernels ready ahead of need, where that is cheap; returns at once.

        Parameters
        ----------
        count : int
            How many are kept ready in which everything is imported ahead.
        first : sequence of frozenset of str, or None
            What the first requests will say that they import, in this order: for each of them one
            kernel is made ready besides, as soon as that much is imported.
        """
        ...

    def close(self) -> None:
        """End every kernel that is still alive, and leave nothing behind."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        ...


def _silent(line: str) -> None:
    """Say nothing."""


def open_kernels(
    kind: KernelKind,
    *,
    preload: Sequence[str] | None = (),
    env: Mapping[str, str] | None = None,
    say: Callable[[str], None] = _silent,
) -> Kernels:
    """Open the kernels of one driver process.

    Parameters
    ----------
    kind : {"fork", "spawn"}
        Forked kernels fall back to stock ones, and say why, where forking is not safe or not to be
        had.
    preload : sequence of str, optional
        Modules to import ahead for forked kernels; those outside site-packages are left out. None
        if that is not known yet: no kernel starts before `Kernels.preload` has said it.
    env : Mapping of str to str, optional
        The environment in which they are imported; default: this process's, `PYTHONHASHSEED=0`.
    say : callable
        Receives one line for people when something is not as asked for.

    Returns
    -------
    Kernels
        A context manager.
    """
    if kind == "spawn":
        return SpawnKernels()
    if not sys.platform.startswith("linux"):
        say(f"kernels are not forked on {sys.platform}; stock kernels are used")
        return SpawnKernels()
    start = {"PYTHONHASHSEED": "0", **os.environ} if env is None else env
    return ForkKernels(preload=preload, env=start, say=say)
