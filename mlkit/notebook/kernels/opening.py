"""Open the kernels of one driver, forked where that is safe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from mlkit.core.policies import KernelKind
from mlkit.notebook.kernels.fork import ForkKernels
from mlkit.notebook.kernels.request import Kernels
from mlkit.notebook.kernels.spawn import SpawnKernels

__all__ = ["open_kernels"]


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
