"""Take preloaded modules out of sight, and hand each back when a kernel imports it.

A stock kernel has not yet imported what its notebook is going to import. So what was imported
ahead is taken out of `sys.modules`, and a finder, the first on `sys.meta_path`, hands it back at
its first import, together with all that this import would have imported. The search goes on as it
would without us: a module of the project that comes first on `sys.path` wins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib.machinery import ModuleSpec, NamespaceLoader, PathFinder
from types import FunctionType, ModuleType
from typing import Any

from .ledger import Ledger

__all__ = ["Hidden"]

# What modules compiled by Cython share; all that are imported ahead have to share it.
SHARED = ("_cython_", "_cyutility")


class Hidden:
    """The modules that are imported but not to be seen.

    Parameters
    ----------
    ledger : Ledger
        Tells what each of them imports in turn, and what it does besides.

    Attributes
    ----------
    object_to : callable
        Called with a sentence when a module that cannot be shared is asked for.
    is_repeating : bool
        Whether what an import has set is being set again just now.
    is_in_kernel : bool
        Whether this is a kernel; the zygote itself has nothing to set again.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._modules: dict[str, Any] = {}
        self._bound: dict[str, None] = {}
        self._main = sys.modules["__main__"]
        self._path = list(sys.path)
        self._finders = [id(finder) for finder in sys.meta_path]
        self._closures: dict[str, list[str]] = {}
        self.object_to: Callable[[str], None] = lambda _: None
        self.is_repeating = False
        self.is_in_kernel = False

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def get(self, name: str) -> Any:
        """A hidden module, or the imported one, or None."""
        return self._modules.get(name, sys.modules.get(name))

    def hide(self, asked: Iterable[str] | None = None) -> None:
        """Take what the ledger has noted out of sight.

        Parameters
        ----------
        asked : iterable of str, optional
            What kernels will import most likely; by default no kernel is going to be forked yet.
        """
        names = [
            name
            for name in self._ledger.loaded
            if name in sys.modules and (asked is not None or not name.startswith(SHARED))
        ]
        for name in names:
            self._modules[name] = sys.modules[name]
        for name in names:
            parent, _, child = name.rpartition(".")
            space = _space(self._modules.get(parent, sys.modules.get(parent)))
            if space is not None and space.get(child) is self._modules[name]:
                del space[child]
                self._bound[name] = None
        for name in names:
            del sys.modules[name]
        self._forget_what_was_looked_up(names)
        self._closures = {name: self._ledger.closure(name, self._modules) for name in asked or ()}
        self._ledger.hide_finders()
        self._path = list(sys.path)
        self._finders = [id(finder) for finder in sys.meta_path]
        self._ledger.take_back_filters()
        sys.meta_path.insert(0, self)

    def _forget_what_was_looked_up(self, names: Iterable[str]) -> None:
        """Have packages that are seen look up again what they took from parts that are not.

        `concurrent.futures` imports its parts when something of them is asked for, and keeps that.
        """
        for name in names:
            space = _space(sys.modules.get(name.rpartition(".")[0]))
            if space is None or "__getattr__" not in space:
                continue
            for key, value in list(space.items()):
                if isinstance(value, type | FunctionType) and value.__module__ == name:
                    del space[key]

    def show(self) -> None:
        """Put everything back."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        self._put_back(list(self._modules))

    def tops(self) -> set[str]:
        """The top-level names that are still hidden."""
        return {name for name in self._modules if "." not in name}

    def readers_of(self, variable: str) -> bool:
        """Whether a hidden module was seen to ask for an environment variable."""
        reads = self._ledger.reads
        return any(variable in reads[name] for name in reads if name in self._modules)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find what the other finders find, and hand back ours if it is the same."""
        if target is not None or name not in self._modules:
            return None
        if name.rpartition(".")[0] in self._modules:
            return None  # its package was made anew, by hand
        finders = list(sys.meta_path)
        found = _find(name, path, finders[finders.index(self) + 1 :] if self in finders else ())
        if found is None or not _is_same(found, self._modules[name]):
            return found
        if found.loader is None and sys._getframe(2).f_code.co_name != "_find_and_load_unlocked":
            return found  # somebody only asks, and learns from its absence what this is
        kind = (
            object if found.loader is None or isinstance(found.loader, type) else type(found.loader)
        )
        found.loader = _handing(kind)(found.loader, self, name)
        return found

    def hand_back(self, name: str) -> Any:
        """Put a module back, with all that its import would have imported."""
        module = self._modules[name]
        known = self._closures.get(name) or self._ledger.closure(name, self._modules)
        names = [each for each in known if each in self._modules]
        tops = {each.partition(".")[0] for each in self._closures.get(name, names)}
        if stranger := self._stranger(tops - {name}):
            self.object_to(f"{name} imports {stranger}, and finds another one than was imported")
        for each in names:
            if each in self._ledger.unfit:
                self.object_to(f"{each} {self._ledger.unfit[each]}")
        new = [each for each in names if "." not in each and each != name]
        self._put_back(names)
        if self.is_in_kernel:
            self.is_repeating = True
            for each in names:
                self._ledger.repeat(each)
            self.is_repeating = False
        for each in new:  # who listens for imports learns of these too
            sys.audit("import", each, None, sys.path, sys.meta_path, sys.path_hooks)
        return module

    def _put_back(self, names: list[str]) -> None:
        for name in names:
            is_main = self._modules[name] is self._main  # multiprocessing gives it a second name
            module = sys.modules["__main__"] if is_main else self._modules[name]
            sys.modules.setdefault(name, module)
        for name in names:
            if name in self._bound:
                del self._bound[name]
                parent, _, child = name.rpartition(".")
                space = _space(self.get(parent))
                if space is not None:
                    space[child] = self._modules[name]
        for name in names:
            self._ledger.show_finders(name)
            del self._modules[name]

    def _stranger(self, tops: set[str]) -> str:
        """A module among these that would be found elsewhere today, or was imported from there."""
        searched = {top for top in tops & self._modules.keys() if self._was_searched_for(top)}
        for top in searched:
            if top in sys.modules:
                return top
        others = [finder for finder in sys.meta_path if finder is not self]
        for top in self._names_ahead(searched):
            found = _find(top, None, others)
            if found is None or not _is_same(found, self._modules[top]):
                return top
        return ""

    def _was_searched_for(self, name: str) -> bool:
        """Whether a module was found under its name, and not put into `sys.modules` by another."""
        return getattr(getattr(self._modules[name], "__spec__", None), "name", None) == name

    def _names_ahead(self, tops: set[str]) -> set[str]:
        """The names among these that new entries of the search path, or new finders, could mean."""
        finders = [id(finder) for finder in sys.meta_path if finder is not self]
        if [each for each in finders if each in self._finders] != self._finders:
            return tops  # one was taken away, or stands in another place
        names: set[str] = set()
        for finder in list(sys.meta_path):  # who only listens learns of these imports too
            if finder is not self and id(finder) not in self._finders:
                names |= {top for top in sorted(tops) if _find(top, None, [finder]) is not None}
        for entry in sys.path:
            if entry in self._path:
                continue
            searcher: Any = PathFinder._path_importer_cache(entry or os.getcwd())  # type: ignore[attr-defined] # noqa: PTH109 - as Python does it
            if searcher is None:
                continue
            if not hasattr(searcher, "_path_cache"):
                return tops
            searcher.find_spec("mlkit_zygote")  # fills the cache of names
            names.update(each.partition(".")[0] for each in searcher._path_cache)
        return names & tops


def _space(module: Any) -> dict[str, Any] | None:
    """A module's names; None for what stands in `sys.modules` and is none."""
    return vars(module) if isinstance(module, ModuleType) else None


def _find(name: str, path: Any, finders: Iterable[Any]) -> ModuleSpec | None:
    """Ask finders one after the other, as an import does."""
    for finder in finders:
        find = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find(name, path) if find is not None else None
        if spec is not None:
            return spec
    return None


def _is_same(found: ModuleSpec, module: Any) -> bool:
    """Whether a search has found the module that was imported ahead."""
    spec = getattr(module, "__spec__", None)
    if spec is None:  # it has put something else in its place while it was imported
        return True
    if _kind_of_loader(found) is not _kind_of_loader(spec):  # one that rewrites what it loads
        return False
    if found.origin is None and found.submodule_search_locations is not None:
        return list(found.submodule_search_locations) == list(spec.submodule_search_locations or ())
    return bool(found.origin == spec.origin)


def _kind_of_loader(spec: ModuleSpec) -> type:
    """The type of a module's loader; a package without a file gets its own only when it is made."""
    is_namespace = spec.loader is None and spec.submodule_search_locations is not None
    return NamespaceLoader if is_namespace else type(spec.loader)


@cache
def _handing(kind: type) -> Any:
    """A loader like another one, which hands back instead of executing."""

    class Handing(kind):  # type: ignore[misc] # it depends on what was found
        def __init__(self, loader: Any, hidden: Hidden, name: str) -> None:
            if kind is not object:
                self.__dict__.update(loader.__dict__)
            self._mlkit = (loader, hidden, name)
            self._ours: Any = None

        def create_module(self, spec: ModuleSpec) -> Any:
            loader, hidden, name = self._mlkit
            caller = sys._getframe(2).f_code
            if caller.co_name != "_load_unlocked" or name not in hidden:
                return loader.create_module(spec)  # somebody makes a copy by hand
            module = hidden.get(name)
            self._ours = (getattr(module, "__spec__", None), module)
            return module

        def exec_module(self, module: Any) -> None:
            loader, hidden, name = self._mlkit
            if self._ours is None:
                loader.exec_module(module)
                return
            spec, module = self._ours
            if spec is not None:
                module.__spec__ = spec
            hidden.hand_back(name)

    if kind is not object:
        Handing.__name__ = kind.__name__
        Handing.__qualname__ = kind.__qualname__
        Handing.__module__ = kind.__module__
    return Handing
