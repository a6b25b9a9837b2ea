"""The driver's end of the leash: a token, a private folder, and a warden process."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from mlkit.notebook.kernels import warden
from mlkit.notebook.kernels.kernel_process import KernelProcess
from mlkit.notebook.kernels.ownership import abandon_in_forks

__all__ = ["Leash"]

# A socket's path holds 104 bytes at the least on the systems that we know; we add about 20.
LONGEST_FOLDER = 80


class Leash:
    """Keeps what a driver starts from outliving it, however the driver ends.

    Attributes
    ----------
    token : str
        Stands in the environment variable `MLKIT_LEASH` of everything that the driver starts.
    folder : Path
        Private to this user (mode 0700), with a path short enough for sockets.
    """

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        self.folder = _short_folder()
        self._serials = itertools.count(1)
        self._lock = threading.Lock()
        self._kernels: dict[int, KernelProcess] = {}
        abandon_in_forks(self)
        self._warden: subprocess.Popen[bytes] | None = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(Path(warden.__file__).absolute())),
                *(str(os.getpid()), self.token, str(self.folder)),
            ],
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={},
            cwd="/",
        )

    def serial(self) -> int:
        """A number that no other kernel of this driver has."""
        return next(self._serials)

    def mark(self, serial: int) -> str:
        """The value of `MLKIT_LEASH` for one kernel and all that it starts."""
        return f"{self.token}.{serial:08d}"

    def watch(self, group: int) -> None:
        """Put a process group under the warden's watch."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """Say that a process group has ended and its number may be used by others."""
        self._tell(f"-{group}\n")

    def hold(self, kernel: KernelProcess) -> None:
        """Watch a kernel, and end it with the leash."""
        with self._lock:
            self._kernels[kernel.pid] = kernel
        self.watch(kernel.pid)

    def drop(self, kernel: KernelProcess) -> None:
        """Forget a kernel that has ended."""
        with self._lock:
            self._kernels.pop(kernel.pid, None)
        kernel.dismiss()
        self.release(kernel.pid)

    def spare(self, kernel: KernelProcess, serial: int) -> None:
        """Leave a kernel, with all it has started, to somebody else who holds it now."""
        with self._lock:
            self._kernels.pop(kernel.pid, None)
        self._tell(f"={self.mark(serial)}\n")
        self.release(kernel.pid)
        kernel.leave()

    def end_kernels(self) -> None:
        """Kill and collect the kernels that are still held."""
        with self._lock:
            held = list(self._kernels.values())
        for kernel in held:
            kernel.end()
            self.drop(kernel)

    def sweep(self, serial: int) -> int:
        """Kill whatever one kernel has left behind, and count it."""
        return warden.sweep(self.mark(serial))

    def close(self) -> None:
        """Have everything swept that is left, and wait until that is done."""
        self.end_kernels()
        with self._lock:
            keeper, self._warden = self._warden, None
        if keeper is not None and keeper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                keeper.stdin.close()
            keeper.wait()

    def abandon(self) -> None:
        """Leave everything to the process that this one was forked from."""
        self._lock = threading.Lock()
        for kernel in self._kernels.values():
            kernel.dismiss()
        self._kernels.clear()
        keeper, self._warden = self._warden, None
        if keeper is not None and keeper.stdin is not None:
            keeper.stdin.close()

    def _tell(self, order: str) -> None:
        """Write one order in one piece; a warden that was killed is replaced by nobody."""
        with self._lock:
            if self._warden is not None and self._warden.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    os.write(self._warden.stdin.fileno(), order.encode())


def _short_folder() -> Path:
    """Make a folder of mode 0700 whose path leaves room for the name of a socket."""
    usual = tempfile.gettempdir()
    parent = usual if len(os.fsencode(usual)) <= LONGEST_FOLDER - 16 else str(Path(os.sep, "tmp"))
    return Path(tempfile.mkdtemp(prefix="mlkit-", dir=parent))
