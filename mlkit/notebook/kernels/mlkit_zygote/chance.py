"""Random streams of a kernel's own, where imports have made generators ahead of the fork."""

from __future__ import annotations

import _random
import gc
import os
import random
import sys
from collections.abc import Callable
from typing import Any

from .ledger import Ledger

__all__ = ["Generators"]


class Generators:
    """The generators that imports have made without a seed; each kernel seeds them anew.

    One that was given a seed gives the same numbers in every stock kernel, and so it does here.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._found: dict[int, Any] = {}
        self._drawn = 0

    def look(self, *, thoroughly: bool = False) -> None:
        """Look through what was made since the last look, and freeze it.

        The ledger hears of each `random.Random` when it is seeded, and of each seed that NumPy
        draws: without the like, and without a class that seeds its generators in a way of its own,
        there is nothing to look for, unless what was imported was not watched. Generators are
        tracked by the collector, wherever they are kept: in globals, attributes of classes, nested
        containers, closures; and it does not list what is frozen.
        """
        drawn = len(self._ledger.drawn)
        if thoroughly or drawn > self._drawn or _seed_themselves():
            self._search()
        self._drawn = drawn
        gc.freeze()

    def _search(self) -> None:
        kinds = _kinds()
        known: dict[type, bool] = {}
        for each in gc.get_objects():
            kind = type(each)
            is_one = known.get(kind)
            if is_one is None:
                is_one = known[kind] = issubclass(kind, kinds)
            if is_one:
                self._found[id(each)] = each

    def reseed(self, module: Callable[[str], Any]) -> None:
        """Seed anew what was not given a seed; `module` gives one that may be hidden, or None."""
        noted = self._ledger.generators
        for generator, given in noted.values():
            if not given:
                generator.seed()
        drawn = self._ledger.drawn
        for key, each in self._found.items():
            if isinstance(each, random.Random):
                if key not in noted and each is not random._inst:
                    _random.Random.seed(each)
                continue
            source = each if hasattr(each, "entropy") else getattr(each, "seed_seq", None)
            if getattr(source, "entropy", None) in drawn:
                type(each).__init__(each)
        process = module("multiprocessing.process")
        if process is not None:  # the key that authenticates its connections
            process.current_process().authkey = os.urandom(32)
        numpy = module("numpy.random.mtrand")
        if numpy is not None:  # an import may have given the common stream a seed
            bits = numpy._rand._bit_generator
            type(bits).__init__(bits)


def _seed_themselves() -> bool:
    """Whether there are generators derived from Python's own that need not pass its `seed`."""
    todo = [each for each in random.Random.__subclasses__() if each is not random.SystemRandom]
    while todo:
        each = todo.pop()
        todo += each.__subclasses__()
        if {"__new__", "__init__", "__setstate__", "seed"} & vars(each).keys():
            return True
    return False


def _kinds() -> tuple[type, ...]:
    """Classes of generators, as far as they are imported."""
    kinds: list[type] = [random.Random]
    bits = sys.modules.get("numpy.random.bit_generator")
    if bits is not None:
        kinds += [bits.BitGenerator, bits.SeedSequence]
    return tuple(kinds)
