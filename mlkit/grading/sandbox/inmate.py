"""The first thing that runs in the sandbox: bound this process, then become a kernel.

Run by path (`python -P -s inmate.py CONNECTION LIMITS`), so that nothing but this interpreter's own
packages is imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import resource
import signal
import sys
from typing import Any

__all__ = ["bound", "die_with_parent", "main"]

# macOS knows these limits and refuses some of them.
UNSUPPORTED: tuple[type[Exception], ...] = () if sys.platform == "linux" else (ValueError, OSError)


def bound(limits: dict[str, Any]) -> None:
    """Set the limits that the kernel of the operating system enforces by itself."""
    wanted = {
        resource.RLIMIT_AS: limits["address_space_bytes"],
        resource.RLIMIT_CPU: limits["cpu_s"],
        resource.RLIMIT_FSIZE: limits["disk_bytes"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_NOFILE: 512,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(*UNSUPPORTED):
            resource.setrlimit(kind, (allowed, allowed))


def die_with_parent() -> None:
    """End when the grader does, however it ends (Linux: prctl's PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def main(arguments: list[str]) -> None:
    """Set the limits, then serve as an IPython kernel until the end."""
    connection, limits = arguments
    die_with_parent()
    bound(json.loads(limits))
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # no debugger: it starts slowly
    # After the limits, and after debugpy is out of the way: it would be imported along.
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(
        argv=[
            "-f",
            connection,
            "--HistoryManager.enabled=False",
            "--InteractiveShell.colors=nocolor",
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1:])
