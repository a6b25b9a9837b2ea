"""A zygote that an earlier run has left: how it is found, and whether it may fork for this one."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable, Sequence

from mlkit.notebook.kernels.mlkit_zygote import messages
from mlkit.notebook.kernels.mlkit_zygote.door import peer_of
from mlkit.notebook.kernels.mlkit_zygote.identity import differences, process_facts
from mlkit.notebook.kernels.warm_terms import Terms
from mlkit.notebook.kernels.zygote import FORKED, Zygote

__all__ = ["MetZygote", "meet"]

ANSWER_S = 1.0
"""One that does not answer by then is busy, or was stopped: an own one is as fast."""


class MetZygote(Zygote):
    """A zygote that was there before this driver, and stays when it has gone.

    Parameters
    ----------
    control : socket
        Connected, and welcome.
    process : int
        A descriptor of its process, by which its end is seen.
    pid : int
        Its number.
    say : callable
        Receives one line for people for each thing that is not as asked for.
    """

    is_shared = True

    def __init__(
        self, control: socket.socket, process: int, pid: int, say: Callable[[str], None]
    ) -> None:
        super().__init__(control, say)
        self._process = process
        self.pid = pid

    def preload(self, names: Sequence[str]) -> None:
        """Nothing: it was chosen by what it has imported."""

    def lives(self) -> bool:
        """Whether the process is there."""
        if self.refusal == FORKED:
            return True  # as far as is known here
        ear = select.poll()
        ear.register(self._process, select.POLLIN)
        return not ear.poll(0)

    def close(self) -> None:
        """Hang up, on which the zygote kills the kernels of this driver."""
        self.hear()
        with self._lock:
            if self.refusal != FORKED:
                self.refusal = self.refusal or "closed"
                self._control.close()

    def __del__(self) -> None:
        """Close what tells of its end: kernels may ask after it until they have ended."""
        with contextlib.suppress(OSError):
            os.close(self._process)


def meet(terms: Terms, names: Sequence[str], say: Callable[[str], None]) -> MetZygote | None:
    """Find the zygote that an earlier run has left, and see that it is like an own one.

    Parameters
    ----------
    terms : Terms
        What it has to have in common with this run.
    names : sequence of str
        What it has to have imported ahead.
    say : callable
        Receives one line for people for each thing that is not as asked for.

    Returns
    -------
    MetZygote or None
        None if there is none, or it is not the same in everything.
    """
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(ANSWER_S)
    process = -1
    try:
        link.connect(str(terms.door(names)))
        pid, uid = peer_of(link)
        if pid > 0 and uid == os.geteuid():
            process = os.pidfd_open(pid)
            hello = {"hello": True, "identity": dict(terms.identity), "others": terms.others}
            messages.send(link, hello)
            answer = messages.receive(link)
            if answer is not None and _is_like_us(terms, answer[0], pid):
                link.settimeout(None)
                return MetZygote(link, process, pid, say)
    except OSError:  # there is none, or it has gone, or does not answer
        pass
    link.close()
    if process >= 0:
        os.close(process)
    return None


def _is_like_us(terms: Terms, answer: dict[str, object], pid: int) -> bool:
    """Whether it says what we say of ourselves, and the system says of it what it says of us."""
    theirs = answer.get("identity")
    if not isinstance(theirs, dict) or differences(theirs, terms.identity):
        return False
    return not differences(process_facts(pid), process_facts())
