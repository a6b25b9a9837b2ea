"""What belongs to the process that made it, and is let go of in every process forked from that."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["abandon_in_forks"]


class Abandonable(Protocol):
    """Something that belongs to the process that made it, and not to one forked from that."""

    def abandon(self) -> None:
        """Let go of it, in a process that was forked from its owner; its locks may be held."""
        ...


_owned: weakref.WeakSet[Abandonable] = weakref.WeakSet()


def abandon_in_forks(each: Abandonable) -> None:
    """Have something abandoned in every process that is forked from this one.

    A fork that kept the other end of a kernel's or a zygote's link would keep these alive when
    this process has ended, and would talk to them in its place.
    """
    _owned.add(each)


def _abandon_all() -> None:
    for each in list(_owned):
        each.abandon()
    _owned.clear()


os.register_at_fork(after_in_child=_abandon_all)
