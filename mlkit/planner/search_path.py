"""Where an import leads: in the order of `sys.path`, as Python itself would search it."""

from __future__ import annotations

import importlib.machinery as machinery
import os
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from mlkit.planner.checkout import INSTALLED, Checkout

__all__ = ["SearchPath"]


class SearchPath:
    """An order of folders in which modules are looked for.

    Parameters
    ----------
    entries : iterable of str
        The folders, as in `sys.path`; those that never count are passed over.
    checkout : Checkout
        Names them.
    """

    INSTALLED: ClassVar[str] = INSTALLED
    BUILT_IN: ClassVar[str] = "built-in"
    MARKS: ClassVar[tuple[str | None, ...]] = (None, INSTALLED, "built-in")
    """What `locate` gives in place of a path."""

    def __init__(self, entries: Iterable[str], checkout: Checkout) -> None:
        self.entries = [
            entry
            for entry in dict.fromkeys(entries)
            if entry and not any(entry == n or entry.startswith(n + os.sep) for n in checkout.never)
        ]
        self._python = checkout.interpreter
        self.names = checkout.path_names(self.entries)
        self._finders: dict[str, machinery.FileFinder] = {}
        self._found: dict[str, str | None] = {}
        self._portions: dict[str, list[str]] = {}
        self._stems: set[str] | None = None

    @classmethod
    def today(
        cls, begin: Sequence[str], path: Sequence[str], base: Sequence[str], checkout: Checkout
    ) -> SearchPath:
        """The search path that the same imports would meet today.

        Parameters
        ----------
        begin, path : sequence of str
            The names of the entries with which the kernel began, and of those at the imports: what
            the notebook put in front or behind, or took away, it will do again.
        base : sequence of str
            The entries with which a kernel begins today.
        checkout : Checkout
            Where the project stands.
        """
        known = [place for place, name in enumerate(path) if name in begin]
        first = known[0] if known else len(path)
        front = [name for name in path[:first] if name not in begin]
        behind = [name for name in path[first:] if name not in begin]
        gone = {name for name in begin if name not in path}
        kept = [entry for entry in base if not _is_named(entry, gone, checkout)]
        places = [[checkout.place(name) for name in names] for names in (front, behind)]
        return cls([*places[0], *kept, *places[1]], checkout)

    def locate(self, name: str) -> str | None:
        """Find a module by its dotted name.

        Returns
        -------
        str or None
            Its file; its folder, with a slash, if it is a package without a file; `INSTALLED`,
            `BUILT_IN`, or None if it is not to be found.
        """
        if name not in self._found:
            self._found[name] = self._locate(name)
        return self._found[name]

    def portions(self, name: str) -> list[str]:
        """The folders of a package without a file of its own; of any other module none."""
        self.locate(name)
        return [place for place in self._portions.get(name, ()) if place != self.INSTALLED]

    def shadowing(self, names: Iterable[str]) -> list[str]:
        """Those of some names of installed modules that project folders may take for themselves.

        A quick look at the names that stand in the folders before the installation.
        """
        if self._stems is None:
            self._stems = set()
            for entry in self.entries:
                if self._python.is_installed(entry):
                    break
                try:
                    self._stems |= {n.partition(".")[0] for n in os.listdir(entry)}
                except OSError:
                    continue
        return [name for name in names if name.partition(".")[0] in self._stems]

    def _locate(self, name: str) -> str | None:
        parent = name.rpartition(".")[0]
        if not parent:
            if name in self._python.builtin:
                return self.BUILT_IN
            return self._search(name, self.entries)
        package = self.locate(parent)
        portions = self._portions.get(parent, [])
        if len(portions) > 1:
            inside = self._search(name, [p for p in portions if p != self.INSTALLED])
            return self.INSTALLED if inside is None and self.INSTALLED in portions else inside
        if package in (self.INSTALLED, self.BUILT_IN):
            return self.INSTALLED
        if package is None:
            return None
        folder, _, file = package.rpartition(os.sep)
        if file and not file.startswith("__init__."):
            return None
        return self._search(name, [folder])

    def _search(self, name: str, entries: Iterable[str]) -> str | None:
        """Look for a module's last name in some folders; of a namespace, note all of them."""
        portions: list[str] = []
        for entry in entries:
            spec = self._finder(entry).find_spec(name.rpartition(".")[2])
            if spec is None:
                continue
            if spec.loader is not None and spec.origin is not None:
                return self.INSTALLED if self._python.is_installed(entry) else spec.origin
            for place in spec.submodule_search_locations or ():
                portions.append(self.INSTALLED if self._python.is_installed(entry) else place)
        self._portions[name] = portions
        if not portions or portions[0] == self.INSTALLED:
            return portions[0] if portions else None
        return portions[0] + os.sep

    @property
    def _loaders(self) -> tuple[tuple[Any, list[str]], ...]:
        return (
            (machinery.ExtensionFileLoader, list(self._python.suffixes)),
            (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
            (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
        )

    def _finder(self, entry: str) -> machinery.FileFinder:
        if entry not in self._finders:
            self._finders[entry] = machinery.FileFinder(entry, *self._loaders)
        return self._finders[entry]


def _is_named(entry: str, names: set[str], checkout: Checkout) -> bool:
    return (
        bool(names)
        and not checkout.interpreter.is_installed(entry)
        and checkout.name(entry) in names
    )
