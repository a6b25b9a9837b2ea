"""A forked kernel with the face of `subprocess.Popen`, as jupyter_client's programs expect one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from jupyter_client.launcher import launch_kernel

from mlkit.frozen import dataclass
from mlkit.notebook.kernels.kernel_process import (
    ForkedProcess,
    ForkError,
    KernelProcess,
    SpawnedProcess,
)
from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.zygote import Zygote

__all__ = ["ForkedPopen", "Streams"]

PAUSE_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Where a kernel's stdout and stderr go, with the meanings of `subprocess`.

    Parameters
    ----------
    theirs : tuple of int
        Descriptors for the kernel.
    ours : tuple of file, or None
        What can be read here, for `PIPE`.
    own : tuple of int
        Descriptors to be closed once the kernel has them.
    """

    theirs: tuple[int, int]
    ours: tuple[IO[bytes] | None, IO[bytes] | None]
    own: tuple[int, ...]

    @classmethod
    def of(cls, stdout: Any, stderr: Any) -> Streams:
        """Open what the arguments of `subprocess.Popen` mean."""
        theirs: list[int] = []
        ours: list[IO[bytes] | None] = []
        own: list[int] = []
        for stream, usual in ((stdout, 1), (stderr, 2)):
            reader = None
            if stream == subprocess.STDOUT:
                number = theirs[0]
            elif stream == subprocess.PIPE:
                end, number = os.pipe()
                reader = os.fdopen(end, "rb")
                own.append(number)
            elif stream == subprocess.DEVNULL:
                number = os.open(os.devnull, os.O_WRONLY)
                own.append(number)
            else:
                number = stream if isinstance(stream, int) else _number(stream, usual)
                number = os.dup(number)  # the caller may close it at once
                own.append(number)
            theirs.append(number)
            ours.append(reader)
        return cls(theirs=(theirs[0], theirs[1]), ours=(ours[0], ours[1]), own=tuple(own))

    def close(self) -> None:
        """Close the kernel's ends here: at its death nothing else holds a pipe open."""
        for number in self.own:
            os.close(number)


class ForkedPopen:
    """A kernel that is forked as soon as the zygote can, and a stock one if it cannot.

    The starting process need not wait for that; only to ask for `pid` does.

    Parameters
    ----------
    args : sequence of str
        The command that a stock kernel would be started with.
    zygote : Zygote
        Forks it.
    leash : Leash
        Ends it with this process.
    streams : Streams
        Its stdout and stderr.
    arguments : sequence of str
        Of IPython's kernel application.
    env : mapping of str to str
        Its environment.
    cwd : Path
        Its working directory.
    """

    def __init__(
        self,
        args: Sequence[str],
        *,
        zygote: Zygote,
        leash: Leash,
        streams: Streams,
        arguments: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
    ) -> None:
        self.args = list(args)
        self.stdin = None
        self.stdout, self.stderr = streams.ours
        self.returncode: int | None = None
        self._leash = leash
        self._kernel: KernelProcess | None = None
        self._failure: BaseException | None = None
        self._wanted_signal = 0
        self._lock = threading.Lock()
        self._born = threading.Event()
        threading.Thread(
            target=self._make,
            args=(zygote, streams, list(arguments), dict(env), cwd),
            name="mlkit-kernel-start",
            daemon=True,
        ).start()

    @property
    def is_born(self) -> bool:
        """Whether there is a process."""
        return self._kernel is not None

    @property
    def pid(self) -> int:
        """The process id; waits for the process."""
        self.wait_born()
        return 0 if self._kernel is None else self._kernel.pid

    def wait_born(self, timeout: float | None = None) -> bool:
        """Wait until there is a process, or until it is sure that there will be none."""
        return self._born.wait(timeout)

    def poll(self) -> int | None:
        """The exit status, or None while it is alive or on its way."""
        if self.returncode is None and self._born.is_set():
            self.returncode = 1 if self._kernel is None else self._kernel.poll()
            if self.returncode is not None and self._kernel is not None:
                self._leash.drop(self._kernel)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end."""
        until = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(PAUSE_S)
        return status

    def send_signal(self, sig: int) -> None:
        """Send a signal to the kernel's process group; one that is on its way gets the last one."""
        with self._lock:
            if self._kernel is None:
                self._wanted_signal = sig
                return
        if self.poll() is None:
            self._kernel.signal(sig)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[bytes | None, bytes | None]:
        """Read what it writes until its end."""
        texts: list[bytes | None] = [None, None]

        def read(place: int, stream: IO[bytes]) -> None:
            texts[place] = stream.read()

        pairs = [(place, s) for place, s in enumerate((self.stdout, self.stderr)) if s is not None]
        readers = [threading.Thread(target=read, args=pair, daemon=True) for pair in pairs]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        return texts[0], texts[1]

    def __enter__(self) -> ForkedPopen:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its streams and wait for its end, as `subprocess.Popen` does."""
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()

    def _make(
        self, zygote: Zygote, streams: Streams, arguments: list[str], env: dict[str, str], cwd: Path
    ) -> None:
        """Have it forked, or start a stock one; on a thread of its own."""
        try:
            kernel: KernelProcess = _fork(zygote, streams, arguments, env, cwd)
        except ForkError:
            zygote.hear()  # it says why
            kernel = SpawnedProcess(
                launch_kernel(
                    self.args,
                    stdout=streams.theirs[0],
                    stderr=streams.theirs[1],
                    env=env,
                    cwd=str(cwd),
                )
            )
        except BaseException as error:
            self._failure = error
            self._born.set()
            raise
        finally:
            streams.close()
        self._leash.hold(kernel)
        with self._lock:
            self._kernel = kernel
        self._born.set()
        if self._wanted_signal:
            kernel.signal(self._wanted_signal)


def _fork(
    zygote: Zygote, streams: Streams, arguments: list[str], env: dict[str, str], cwd: Path
) -> ForkedProcess:
    process = zygote.fork(arguments, env, spare=False)
    process.order(env, cwd, streams.theirs, may_begin_again=False)
    asyncio.run(process.born())
    return process


def _number(stream: Any, usual: int) -> int:
    """The descriptor of a file, or the usual one of this process."""
    if stream is None:
        return usual
    with contextlib.suppress(AttributeError):
        stream.flush()
    return int(stream.fileno())
