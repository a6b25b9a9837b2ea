"""What happened while packages were imported ahead: who imported whom, and what it did besides.

A kernel that finds a package imported has to look as if it had imported it itself. So everything
that an import leaves behind outside its own modules is written down here, under the module whose
code was running: the modules that it imported in turn, the environment variables that it read and
set, its exit hooks, its random generators, how much it has drawn from the common random stream, and
whether it has drawn random numbers for good.
"""

from __future__ import annotations

import _random
import atexit
import builtins
import importlib
import logging
import os
import random
import secrets
import sys
import warnings
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from importlib.machinery import BuiltinImporter, PathFinder
from itertools import islice
from types import ModuleType
from typing import Any

__all__ = ["Hook", "Ledger"]

bootstrap: Any = importlib.import_module("_frozen_importlib")
"""Python's own import system: nowhere else do all imports pass."""

Hook = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

NUMPY_SEEDS = "numpy.random.bit_generator"
COMPILED = (".so", ".pyd")
UNSEEN = {NUMPY_SEEDS: ("secrets",)}  # imports of compiled modules that leave no module behind

WORD = 32  # bits
MOST_DRAWS = 10_000  # from the common stream, by one module; more of them are no mere draws

# Who looks through the environment when it is imported, and for which names; others read them all.
LOOK_THROUGH = {"networkx": ("NETWORKX_",), "tqdm": ("TQDM_", "QT_API", "SPYDER")}


class Ledger:
    """Writes down what imports do, while `recording`.

    Parameters
    ----------
    is_tried : callable
        Whether a top-level package is known to be shared by kernels without harm.

    Attributes
    ----------
    loaded : dict of str to int
        The modules that were imported, with their place in the order in which they were done.
    edges : dict of str to dict of str to None
        What each of them imported while it was imported itself, in order.
    reads : dict of str to set of str
        The environment variables that each of them asked for.
    looked_through : set of str
        With what the variables begin among which one of them has looked; "" stands for all.
    settings : dict of str to dict
        The environment variables that each of them set, with their values; None: taken away.
    hooks : list
        What is to be called at the end of the zygote, in the order of registration.
    unfit : dict of str to str
        Modules that a kernel cannot share, each with the reason.
    generators : dict of int to tuple
        Each `random.Random`, under its identity, with whether it was given a seed.
    drawn : set of int
        The seeds that NumPy has drawn by itself.
    draws : dict of str to int
        How many words each of them has drawn from the common stream of `random`.
    warned : dict of str to list
        The warnings that each of them gave.
    filters : dict of str to list
        The filters for warnings that each of them added.
    finders : dict of str to list
        The finders that each of them added to `sys.meta_path`, and whether in front of Python's.
    loggers : dict of str to dict of str to None
        The loggers that each of them asked for.
    """

    def __init__(self, is_tried: Callable[[str], bool]) -> None:
        self.loaded: dict[str, int] = {}
        self.edges: dict[str, dict[str, None]] = {}
        self.reads: dict[str, set[str]] = {}
        self.looked_through: set[str] = set()
        self.settings: dict[str, dict[str, str | None]] = {}
        self.hooks: list[Hook] = []
        self.unfit: dict[str, str] = {}
        self.generators: dict[int, tuple[random.Random, bool]] = {}
        self.drawn: set[int] = set()
        self.draws: dict[str, int] = {}
        self.warned: dict[str, list[warnings.WarningMessage]] = {}
        self.filters: dict[str, list[tuple[Any, bool]]] = {}
        self.finders: dict[str, list[tuple[Any, bool]]] = {}
        self.loggers: dict[str, dict[str, None]] = {}
        self._distributions = vars(PathFinder).get("find_distributions")
        self._without_distributions: set[str] = set()
        self._is_tried = is_tried
        self._new_filters: list[tuple[str, Any, bool]] = []
        self._plain_filters: list[Any] | None = None
        self._stack: list[str] = []
        self._active = False
        self._seeding = 0
        self._stream: tuple[int, ...] = ()
        self._replaced: list[tuple[Any, str, Any]] = []
        self._at_exit: tuple[Any, Any] = (atexit.register, atexit.unregister)

    @contextmanager
    def recording(self, name: str) -> Iterator[None]:
        """Write down what is imported meanwhile, which is `name` and what it imports."""
        self._active = True
        self._stream = _stream()
        try:
            self._watch_imports()
            self._watch_environment()
            self._watch_chance()
            self._watch_warnings()
            self._watch_loggers()
            self._replace(atexit, "register", self._register)
            self._replace(atexit, "unregister", self._unregister)
            yield
        finally:
            self._note_draws(name)
            self._active = False
            self._take_back()

    def _take_back(self) -> None:
        """Have everything again as it was before it was watched."""
        while self._replaced:
            owner, name, value = self._replaced.pop()
            setattr(owner, name, value)

    @contextmanager
    def noting_reads(self, name: str) -> Iterator[None]:
        """Write down, under one name, only what is asked of the environment meanwhile."""
        self._active = True
        self._stack.append(name)
        try:
            self._watch_environment()
            yield
        finally:
            self._active = False
            self._stack.clear()
            self._take_back()

    def names_read(self, names: Iterable[str]) -> list[str]:
        """Those among some environment variables that an import has read, or may have."""
        read = set().union(*self.reads.values())
        families = tuple(self.looked_through)
        return sorted(name for name in names if name in read or name.startswith(families))

    def closure(self, name: str, among: Container[str]) -> list[str]:
        """What is imported once `name` is: itself, its parents and what these import, in order.

        What is not `among` these is there already, with all that it imports.
        """
        found: set[str] = set()
        todo = [name]
        while todo:
            each = todo.pop()
            if each in found or each not in among:
                continue
            found.add(each)
            todo.extend(self.edges.get(each, ()))
            if parent := each.rpartition(".")[0]:
                todo.append(parent)
        return sorted(found, key=self.loaded.__getitem__)

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._replaced.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def _watch_imports(self) -> None:
        load: Any = bootstrap._load_unlocked
        find: Any = bootstrap._find_and_load
        plain = builtins.__import__

        def load_and_note(spec: Any) -> Any:
            name = spec.name
            before = len(sys.modules)
            finders = list(sys.meta_path)
            self._note_draws_of_user()
            self._stack.append(name)
            try:
                return load(spec)
            finally:
                self._note_draws_of_user()
                self._stack.pop()
                if name == NUMPY_SEEDS and name in sys.modules:
                    vars(sys.modules[name])["randbits"] = self._draw_seed
                self._note_finders(name, finders)
                if name in sys.modules:
                    self._note_new(name, len(sys.modules) - before)
                    if str(spec.origin).endswith(COMPILED):
                        self._note_compiled(name)

        def find_and_note(name: str, *rest: Any) -> Any:
            self._note(name)
            return find(name, *rest)

        def import_and_note(
            name: str,
            globals: Any = None,
            locals: Any = None,
            fromlist: Any = (),
            level: int = 0,
        ) -> Any:
            module = plain(name, globals, locals, fromlist, level)
            if self._stack and self._active:
                whole = name
                if level:
                    package = bootstrap._calc___package__(globals)
                    whole = bootstrap._resolve_name(name, package, level)
                self._note(whole)
                for part in fromlist or ():
                    if f"{whole}.{part}" in sys.modules:
                        self._note(f"{whole}.{part}")
            return module

        self._replace(bootstrap, "_load_unlocked", load_and_note)
        self._replace(bootstrap, "_find_and_load", find_and_note)
        self._replace(builtins, "__import__", import_and_note)

    def _note(self, name: str) -> None:
        """Write down that the module under way has imported another one."""
        if self._stack and self._active:
            self.edges.setdefault(self._stack[-1], {})[name] = None

    def _note_new(self, name: str, count: int) -> None:
        """Write down a module that is done, and what it has put into `sys.modules` by hand."""
        for each in islice(reversed(sys.modules), max(count, 0)):
            if each != name and each not in self.loaded:
                self.loaded[each] = len(self.loaded)
                self.edges.setdefault(name, {})[each] = None
        self.loaded.setdefault(name, len(self.loaded))
        self._note(name)

    def _note_finders(self, name: str, before: list[Any]) -> None:
        """Write down the finders that a module, and none that it imported, has added.

        `importlib_metadata` also takes from Python's own finder what finds packages' metadata.
        """
        if "find_distributions" not in vars(PathFinder) and not self._without_distributions:
            self._without_distributions.add(name)
        if sys.meta_path == before:
            return
        noted = [finder for each in self.finders.values() for finder, _ in each]
        for place, finder in enumerate(sys.meta_path):
            if not _is_among(finder, before) and not _is_among(finder, noted):
                in_front = place < sys.meta_path.index(BuiltinImporter)
                self.finders.setdefault(name, []).append((finder, in_front))

    def hide_finders(self) -> None:
        """Take out of `sys.meta_path` what the imports have added to it."""
        noted = [finder for each in self.finders.values() for finder, _ in each]
        sys.meta_path[:] = [each for each in sys.meta_path if not _is_among(each, noted)]
        if self._without_distributions:
            PathFinder.find_distributions = self._distributions  # type: ignore[assignment,method-assign] # see above

    def show_finders(self, name: str) -> None:
        """Add to `sys.meta_path` again what one import has added."""
        for finder, in_front in self.finders.get(name, ()):
            if not _is_among(finder, sys.meta_path):
                sys.meta_path.insert(0 if in_front else len(sys.meta_path), finder)
        if name in self._without_distributions and "find_distributions" in vars(PathFinder):
            del PathFinder.find_distributions

    def _note_compiled(self, name: str) -> None:
        """Note what a compiled module has imported; it does not say so where that was there."""
        names = self.edges.setdefault(name, {})
        for value in list(getattr(sys.modules[name], "__dict__", {}).values()):
            each = value.__name__ if isinstance(value, ModuleType) else None
            if isinstance(value, type):
                each = value.__module__
            if each in sys.modules and each != name:
                names[str(each)] = None
        names.update(dict.fromkeys(UNSEEN.get(name, ())))

    def _watch_environment(self) -> None:
        kind: Any = type(os.environ)
        read, put, unset, each = kind.__getitem__, os.putenv, os.unsetenv, kind.__iter__

        def look_through_and_note(environ: Any) -> Any:
            if self._stack and self._active:
                top = self._stack[-1].partition(".")[0]
                self.looked_through.update(LOOK_THROUGH.get(top, ("",)))
            return each(environ)

        def read_and_note(environ: Any, name: str) -> str:
            if self._stack and self._active and isinstance(name, str):
                self.reads.setdefault(self._stack[-1], set()).add(name)
            text: str = read(environ, name)
            return text

        def put_and_note(name: Any, value: Any) -> None:
            put(name, value)
            self._note_setting(name, os.fsdecode(value))

        def unset_and_note(name: Any) -> None:
            unset(name)
            self._note_setting(name, None)

        self._replace(kind, "__getitem__", read_and_note)
        self._replace(kind, "__iter__", look_through_and_note)
        self._replace(os, "putenv", put_and_note)
        self._replace(os, "unsetenv", unset_and_note)

    def _note_setting(self, name: Any, value: str | None) -> None:
        if self._stack and self._active:
            self.settings.setdefault(self._stack[-1], {})[os.fsdecode(name)] = value

    def _watch_chance(self) -> None:
        seed, set_state = random.Random.seed, random.Random.setstate
        draw_bytes = os.urandom

        def seed_and_note(generator: Any, a: Any = None, version: int = 2) -> None:
            self._note_seed(generator, given=a is not None)
            self._seeding += 1
            try:
                seed(generator, a, version)
            finally:
                self._seeding -= 1

        def set_state_and_note(generator: Any, state: Any) -> None:
            self._note_seed(generator, given=True)
            set_state(generator, state)

        def draw_and_note(count: int) -> bytes:
            if not self._seeding:
                self.note_unfit("draws random numbers for good when it is imported")
            return draw_bytes(count)

        self._replace(random.Random, "seed", seed_and_note)
        self._replace(random.Random, "setstate", set_state_and_note)
        self._replace(os, "urandom", draw_and_note)
        self._replace(random, "_urandom", draw_and_note)

    def _note_draws_of_user(self) -> None:
        """Note the draws of the module under way if it has imported `random`: a look takes long."""
        if self._stack and "random" in self.edges.get(self._stack[-1], ()):
            self._note_draws(self._stack[-1])

    def _note_draws(self, name: str) -> None:
        """Write down, for a module, what was drawn since the last look at the common stream."""
        before, self._stream = self._stream, _stream()
        if count := _words_between(before, self._stream):
            self.draws[name] = self.draws.get(name, 0) + count

    def _draw_seed(self, count: int) -> int:
        """In place of `secrets.randbits`, with which NumPy draws its seeds."""
        self._seeding += 1
        try:
            bits = secrets.randbits(count)
        finally:
            self._seeding -= 1
        if self._active:
            self.drawn.add(bits)
        return bits

    def _note_seed(self, generator: Any, *, given: bool) -> None:
        if self._active and not isinstance(generator, random.SystemRandom):
            self.generators[id(generator)] = (generator, given)

    def note_unfit(self, reason: str) -> None:
        """Write down that the module under way cannot be shared by kernels."""
        if self._active and self._stack and not self._is_tried(self._stack[-1].partition(".")[0]):
            self.unfit.setdefault(self._stack[-1], reason)

    def repeat(self, name: str) -> None:
        """Do again, in a kernel, what an import did to the environment, warnings and the like.

        A variable that was set meanwhile is left alone.
        """
        for _ in range(self.draws.get(name, 0)):  # the notebook may have seeded it before
            random._inst.getrandbits(WORD)
        for variable, value in self.settings.get(name, {}).items():
            if value is not None and variable not in os.environ:
                os.environ[variable] = value
        for logger in self.loggers.get(name, ()):
            logging.getLogger(logger)
        for item, append in self.filters.get(name, ()):
            _add_filter(item, append)
        for warning in self.warned.get(name, ()):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )

    def take_back_filters(self) -> None:
        """Have the filters for warnings as they were before the imports."""
        if self._plain_filters is None:
            return
        kept = warnings.filters
        for name, item, append in self._new_filters:
            if item in kept:  # and was not added for a moment only
                self.filters.setdefault(name, []).append((item, append))
        self._new_filters.clear()
        warnings.filters[:] = self._plain_filters  # type: ignore[index] # a list, which may be changed
        warnings._filters_mutated()  # type: ignore[attr-defined] # as warnings itself says it

    def _watch_warnings(self) -> None:
        if self._plain_filters is None:
            self._plain_filters = list(warnings.filters)
        add, show = warnings._add_filter, warnings._showwarnmsg  # type: ignore[attr-defined] # see above

        def add_and_note(*item: Any, append: bool) -> None:
            if self._stack and self._active:
                self._new_filters.append((self._stack[-1], item, append))
            add(*item, append=append)

        def show_and_note(message: warnings.WarningMessage) -> None:
            if not (self._stack and self._active):
                show(message)
                return
            self.warned.setdefault(self._stack[-1], []).append(message)

        self._replace(warnings, "_add_filter", add_and_note)
        self._replace(warnings, "_showwarnmsg", show_and_note)

    def _watch_loggers(self) -> None:
        get = logging.Manager.getLogger

        def get_and_note(manager: logging.Manager, name: str) -> logging.Logger:
            if self._stack and self._active:
                self.loggers.setdefault(self._stack[-1], {})[name] = None
            return get(manager, name)

        self._replace(logging.Manager, "getLogger", get_and_note)

    def _register(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """`atexit.register`: hooks of somebody's own folder or file are the zygote's to call."""
        if not self._active or not self._stack or self._is_the_kernels(function, args, kwargs):
            return self._at_exit[0](function, *args, **kwargs)
        self.hooks.append((function, args, kwargs))
        return function

    def _unregister(self, function: Any) -> None:
        """`atexit.unregister`."""
        self.hooks[:] = [hook for hook in self.hooks if hook[0] != function]
        self._at_exit[1](function)

    def _is_the_kernels(self, function: Any, args: Any, kwargs: Any) -> bool:
        """Whether a hook has to run in each kernel: a library's own, looking after its state."""
        home = str(getattr(function, "__module__", "")).partition(".")[0]
        if home == "weakref":
            return True  # one callback for all finalizers, which are looked at one by one
        own = home == self._stack[-1].partition(".")[0]
        return own and not args and not kwargs and self._is_tried(home)


def _is_among(finder: Any, finders: list[Any]) -> bool:
    """Whether a list holds this very object; what finders think of equality does not matter."""
    return any(each is finder for each in finders)


def _stream() -> tuple[int, ...]:
    """The words of the common stream of `random`, without what its Python part keeps."""
    return _random.Random.getstate(random._inst)


def _words_between(before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """How many words were drawn between two states of a stream; 0 if that cannot be told."""
    if before == after:
        return 0
    copy = _random.Random()
    copy.setstate(before)
    for count in range(1, MOST_DRAWS + 1):
        copy.getrandbits(WORD)
        if copy.getstate() == after:
            return count
    return 0


def _add_filter(item: Any, append: bool) -> None:  # noqa: FBT001 - as warnings itself has it
    """Add a filter for warnings as `warnings.simplefilter` and `filterwarnings` do."""
    warnings._add_filter(*item, append=append)  # type: ignore[attr-defined] # there is no other way
