"""Long work that looks, between its pieces, whether it is still wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

__all__ = ["WorkInterrupted", "checkpoint", "heeding"]

_asked: ContextVar[Callable[[], bool] | None] = ContextVar("asked", default=None)
"""Of the present thread. Hashing and copying are many calls below the code that was asked to stop,
and none of those in between has anything to do with it."""


class WorkInterrupted(KeyboardInterrupt):
    """Hashing or copying was given up, since the run is to stop.

    Where nobody takes it in, it ends the command as Ctrl-C does.
    """


@contextlib.contextmanager
def heeding(asked: Callable[[], bool]) -> Iterator[None]:
    """Let work in this thread be given up as soon as somebody asks for it.

    Parameters
    ----------
    asked : callable
        Whether it was asked for; called often, from this thread.
    """
    before = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(before)


def checkpoint() -> None:
    """Go on, or give the work up.

    Raises
    ------
    WorkInterrupted
        If it was asked for.
    """
    asked = _asked.get()
    if asked is not None and asked():
        raise WorkInterrupted
