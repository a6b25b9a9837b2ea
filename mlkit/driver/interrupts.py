"""Ctrl-C, SIGTERM and a terminal that closes end a run in order."""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
from collections.abc import Iterator

from mlkit.core.interrupting import heeding
from mlkit.notebook.notebook_runner import Cancellation

__all__ = ["interruptible"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def interruptible(cancellation: Cancellation) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP ask for the end; only the main thread can be told of them.

    What whoever started this process has it ignore stays ignored: SIGHUP by `nohup`, SIGINT by a
    script's `&`. A process that heard it for a while would be unlike the one that an earlier run
    was, and would meet none of the zygotes which that run has left.

    Hashing and copying in this thread is then given up between two pieces.

    Parameters
    ----------
    cancellation : Cancellation
        What is asked. A signal can arrive while this very thread holds the cancellation's lock,
        so another thread does the asking.
    """
    with heeding(lambda: cancellation.requested):
        if threading.current_thread() is not threading.main_thread():
            yield
        else:
            with _signals(cancellation):
                yield


@contextlib.contextmanager
def _signals(cancellation: Cancellation) -> Iterator[None]:

    def stop(signum: int, frame: object) -> None:
        _thread.start_new_thread(cancellation.request, ())

    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
