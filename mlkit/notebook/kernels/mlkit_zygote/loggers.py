"""Take the loggers of what was imported ahead out of sight, until a kernel imports it.

`logging.config.dictConfig` silences every logger that exists by then, and notebooks go through all
of them to quieten some: a logger that a stock kernel does not have yet must not be among them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

__all__ = ["Loggers", "begin_clock", "names_of_loggers"]


class Loggers:
    """The loggers that exist, and that are not to be seen until somebody asks for them."""

    def __init__(self) -> None:
        self._hidden: dict[str, logging.Logger] = {}

    def hide(self, names: Iterable[str]) -> None:
        """Make the tree of loggers anew, without these and the places that were kept for them."""
        manager = logging.Logger.manager
        there = _loggers()
        self._hidden = there.copy()
        manager.loggerDict.clear()
        manager.loggerClass = self._make  # type: ignore[assignment] # logging only calls it
        for name in there.keys() - set(names):
            manager.getLogger(name)

    def _make(self, name: str) -> logging.Logger:
        """In the place of a logger's class: the one that was hidden, if there is one."""
        logger = self._hidden.pop(name, None)
        if logger is None:
            return logging.getLoggerClass()(name)
        logger._cache.clear()  # type: ignore[attr-defined] # of levels, which have changed since
        return logger


def names_of_loggers() -> list[str]:
    """The names under which there are loggers, and not mere places for some."""
    return list(_loggers())


def _loggers() -> dict[str, logging.Logger]:
    found = logging.Logger.manager.loggerDict.items()
    return {name: each for name, each in found if isinstance(each, logging.Logger)}


def begin_clock() -> None:
    """Let `%(relativeCreated)d` count from now on, as `logging` was imported just now."""
    is_fine = isinstance(logging._startTime, int)  # type: ignore[attr-defined] # since Python 3.13
    logging._startTime = time.time_ns() if is_fine else time.time()  # type: ignore[attr-defined] # see above
