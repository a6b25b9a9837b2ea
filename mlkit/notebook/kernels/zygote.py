"""The driver's side of forking: have a zygote fork, and hear what it says."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence

from mlkit.notebook.kernels.kernel_process import ForkedProcess, ForkError
from mlkit.notebook.kernels.mlkit_zygote import messages
from mlkit.notebook.kernels.ownership import abandon_in_forks

__all__ = ["FORKED", "Zygote"]

FORKED = "it belongs to the process that this one was forked from"


class Zygote(ABC):
    """A process that imports ahead and forks, and the socket that leads to it.

    Parameters
    ----------
    control : socket
        To the process.
    say : callable
        Receives one line for people for each thing that is not as asked for.

    Attributes
    ----------
    refusal : str
        Why it does not fork, or no more; empty as long as it does.
    was_lost : bool
        Whether it has served and is gone: another one would serve, too.
    """

    pid: int
    is_shared = False
    """Whether it was made for more than this driver: another one may do what it cannot."""

    def __init__(self, control: socket.socket, say: Callable[[str], None]) -> None:
        self.refusal = ""
        self.was_lost = False
        self._serving = False
        self._say = say
        self._lock = threading.RLock()
        self._control = control
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
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        *,
        spare: bool,
        needs: Collection[str] | None = None,
    ) -> ForkedProcess:
        """Ask for a kernel; it comes as soon as the imports that it needs are done.

        Parameters
        ----------
        arguments : sequence of str
            Of IPython's kernel application.
        env : mapping of str to str
            The environment in which it boots; its orders may bring another one.
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
        process = ForkedProcess(ours, arguments, self.lives)
        process.boot(env, spare=spare)
        return process

    def hear(self) -> None:
        """Take in, and pass on, what the zygote has to say; does not wait."""
        with self._lock:
            if self.refusal:
                return
            ear = select.poll()
            ear.register(self._control, select.POLLIN)
            while not self.refusal and ear.poll(0):
                news = messages.receive(self._control)
                if news is None:
                    self.was_lost = self._serving
                    self._refuse(f"the forking process has ended{self.last_words()}")
                    return
                message, _ = news
                self._serving = True
                for name, problem in message["skipped"].items():
                    self._say(f"{name} is not imported ahead ({problem})")
                if message["unsafe"]:
                    self.is_shared = False  # another one would be no better
                    self._refuse(message["unsafe"])
                elif message["read"]:
                    self.refusal = f"what was imported ahead reads {', '.join(message['read'])}"

    @abstractmethod
    def lives(self) -> bool:
        """Whether the process is there."""

    @abstractmethod
    def close(self) -> None:
        """Hang up, on which the zygote kills this driver's kernels."""

    def last_words(self) -> str:
        """The last line that the zygote has written."""
        return ""

    def tell(self, line: str) -> None:
        """Pass on what a kernel had to say before it was one."""
        self._say(line)

    def abandon(self) -> None:
        """Let go of it, in a process that was forked from its owner."""
        self._lock = threading.RLock()
        self.refusal = FORKED
        self._control.close()

    def _refuse(self, reason: str) -> None:
        """Fork no more, and say so, unless another zygote is going to do it."""
        self.refusal = reason
        if not self.is_shared:
            self._say(f"kernels are not forked from here on: {reason}; stock kernels are used")
