"""How a kernel of Python finds what mlkit does inside of it, in this environment or another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlkit import inside
from mlkit.core.pipeline import Kernel

__all__ = ["in_kernel", "with_hand_over"]

_IN_KERNEL = '__import__("{package}.in_kernel", fromlist=["begin", "end"])'

_HANDED = Path(inside.__file__).with_name("handed")
"""The folder whose `sitecustomize` makes the recorder known to another environment's Python."""


def in_kernel(kernel: Kernel | None) -> str:
    """The expression for mlkit's part in a kernel; empty where it is no Python.

    Parameters
    ----------
    kernel : Kernel, optional
        The kernel; by default mlkit's own Python.
    """
    if kernel is not None and kernel.language != "python":
        return ""
    return _IN_KERNEL.format(package="mlkit.inside" if kernel is None else "mlkit_handed")


def with_hand_over(env: Mapping[str, str], kernel: Kernel | None) -> Mapping[str, str]:
    """A kernel's environment, with mlkit's part at hand where mlkit is not installed."""
    if kernel is None or not in_kernel(kernel):
        return env
    given = env.get("PYTHONPATH")
    return {**env, "PYTHONPATH": os.pathsep.join([str(_HANDED), *([given] if given else [])])}
