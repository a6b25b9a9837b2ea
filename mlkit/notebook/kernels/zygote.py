"""The driver's side of forking: start the zygote, have it fork, hear what it says."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from mlkit.notebook.kernels.kernel_process import ForkedProcess, ForkError
from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.mlkit_zygote import messages
from mlkit.notebook.kernels.ownership import abandon_in_forks
from mlkit.notebook.kernels.warden import LEASH, kill_group

__all__ = ["Zygote"]

PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from mlkit_zygote.forking_loop import main;"
    " sys.path.remove(sys.argv[1]); main()"
)


# How long a zygote that serves has to collect its kernels; one that still imports has none.
COLLECT_S = 2.0
FORKED = "it belongs to the process that this one was forked from"


class Zygote:
    """The process that imports ahead and forks.

    Parameters
    ----------
    leash : Leash
        Ends it when the driver dies.
    preload : sequence of str, optional
        Modules to import ahead; None if `preload` is going to be called.
    env : Mapping of str to str
        The environment in which it starts.
    say : callable
        Receives one line for people for each thing that is not as asked for.
    trusted : sequence of str
        Modules to import ahead although they do not stand in site-packages.
    hidden : sequence of str
        Modules that ipykernel is to do without.
    """

    def __init__(
        self,
        leash: Leash,
        *,
        preload: Sequence[str] | None,
        env: Mapping[str, str],
        say: Callable[[str], None],
        trusted: Sequence[str] = (),
        hidden: Sequence[str] = (),
    ) -> None:
        # With this variable ipykernel would not capture what compiled code prints.
        self.env = {name: env[name] for name in env if name != "PYTEST_CURRENT_TEST"}
        self.refusal = ""
        self.was_lost = False
        """Whether it has served and is gone: another one would serve, too."""
        self._serving = False
        self._say = say
        self._leash = leash
        self._lock = threading.RLock()
        self._control, theirs = socket.socketpair()
        with theirs, (leash.folder / "zygote.log").open("wb") as log:
            self._popen = subprocess.Popen(
                [
                    *(sys.executable, "-Xfrozen_modules=off", "-c", PROGRAM),
                    *(str(Path(__file__).absolute().parent), str(theirs.fileno())),
                    json.dumps(
                        [None if preload is None else list(preload), list(trusted), list(hidden)]
                    ),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                cwd=leash.folder,
                env={**self.env, LEASH: leash.mark(0)},
                start_new_session=True,
            )
        leash.watch(self._popen.pid)
        abandon_in_forks(self)

    def preload(self, names: Sequence[str]) -> None:
        """Say what to import ahead, where that was not known at the start.

        A zygote that has ended is none to talk to; the next request for a kernel finds that out.
        """
        with self._lock, contextlib.suppress(OSError):
            messages.send(self._control, {"preload": list(names)})

    def spare(self, pid: int) -> None:
        """Say that somebody else holds a kernel from now on: it does not end with this zygote."""
        with self._lock, contextlib.suppress(OSError):
            messages.send(self._control, {"spare": pid})

    def fork(
        self, arguments: Sequence[str], *, spare: bool, needs: Collection[str] | None = None
    ) -> ForkedProcess:
        """Ask for a kernel; it comes as soon as the imports that it needs are done.

        Parameters
        ----------
        arguments : sequence of str
            Of IPython's kernel application.
        spare : bool
            Whether it is to boot and then wait for its orders.
        needs : collection of str, optional
            The top-level modules that it is going to import; by default everything.

        Raises
        ------
        ForkError
            If forking is not to be had, or no more.
        """
        with self._lock:
            if self.refusal:
                raise ForkError(self.refusal)
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    names = None if needs is None else sorted(needs)
                    messages.send(self._control, {"needs": names}, theirs.fileno())
                except OSError as error:
                    ours.close()
                    raise ForkError("the forking process has ended") from error
        process = ForkedProcess(ours, arguments, lambda: self._popen.poll() is None)
        process.boot(spare=spare)
        return process

    def hear(self) -> None:
        """Take in, and pass on, what the zygote has to say; does not wait."""
        with self._lock:
            ear = select.poll()
            ear.register(self._control, select.POLLIN)
            while not self.refusal and ear.poll(0):
                news = messages.receive(self._control)
                if news is None:
                    self.was_lost = self._serving
                    self._refuse(f"the forking process has ended{self._last_words()}")
                    return
                message, _ = news
                self._serving = True
                for name, problem in message["skipped"].items():
                    self._say(f"{name} is not imported ahead ({problem})")
                if message["unsafe"]:
                    self._refuse(message["unsafe"])

    def close(self) -> None:
        """Hang up, on which the zygote kills and collects its kernels and ends."""
        self.hear()
        with self._lock:
            if self.refusal == FORKED:
                return
            self.refusal = self.refusal or "closed"
            self._control.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout=COLLECT_S if self._serving else 0)
            kill_group(self._popen.pid)
            self._popen.wait()
            self._leash.release(self._popen.pid)

    def tell(self, line: str) -> None:
        """Pass on what a kernel had to say before it was one."""
        self._say(line)

    def abandon(self) -> None:
        """Let go of it, in a process that was forked from its owner."""
        self._lock = threading.RLock()
        self.refusal = FORKED
        self._control.close()

    def _refuse(self, reason: str) -> None:
        """Fork no more, and say so."""
        self.refusal = reason
        self._say(f"kernels are not forked from here on: {reason}; stock kernels are used")

    def _last_words(self) -> str:
        """The last line that the zygote has written."""
        with contextlib.suppress(OSError):
            lines = (self._leash.folder / "zygote.log").read_text("utf-8", "replace").splitlines()
            return f" ({lines[-1]})" if lines else ""
        return ""
