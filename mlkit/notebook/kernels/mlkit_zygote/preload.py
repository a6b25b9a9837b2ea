"""Import ahead what kernels will import, and only what is safe to import ahead."""

from __future__ import annotations

import builtins
import gc
import importlib
import importlib.util
import os
import random
import sys
import tempfile
import threading
import tokenize
import traceback
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .asked_files import AskedFiles
from .chance import Generators
from .handing import Hidden
from .ledger import Ledger
from .loggers import Loggers, begin_clock, names_of_loggers
from .system import alien_threads, environment_at_start
from .tried import is_installed, is_tried

__all__ = ["Imports"]

# What a kernel imports by itself between its start and its first cell; absent ones are passed over.
KERNEL_MODULES = (
    *("ipykernel.kernelapp", "ipykernel.debugger", "debugpy.server.api", "faulthandler"),
    *("tornado.platform.asyncio", "tornado.queues", "pdb", "sqlite3"),
    *("IPython.core.debugger", "IPython.core.oinspect", "IPython.core.logger"),
    *("IPython.core.completerlib", "IPython.extensions.storemagic"),
    # the debugger's own imports from the standard library, also where it is left out
    *("email.parser", "encodings.ascii", "encodings.idna", "encodings.latin_1", "gzip"),
    *("http.client", "http.server", "mimetypes", "pkgutil", "pydoc", "runpy", "stringprep"),
    *("xml.parsers.expat", "xmlrpc.client", "xmlrpc.server"),
)
# What it imports at its end; what we import and it does not.
AT_THE_END = ("psutil",)
OURS = ("gc", "secrets")

# What others build upon comes first, each by itself: only so is seen what it imports in turn.
NUMERIC = ("numpy", "numpy.random")
TABLES = (*NUMERIC, "pyarrow", "pandas")
ALGEBRA = ("scipy.sparse", "scipy.linalg", "scipy.special", "scipy.optimize", "scipy.stats")
PARTS = {
    **dict.fromkeys(("scipy", "joblib", "matplotlib", "networkx", "xgboost"), NUMERIC),
    **dict.fromkeys(("lightgbm", "mlflow", "pandera", "pandas"), TABLES),
    "sklearn": (*NUMERIC, *ALGEBRA),
}
ALONG = {
    "pandas": ("numpy", "pyarrow"),
    "sklearn": ("numpy", "scipy", "joblib", "threadpoolctl", "narwhals"),
}

# What a package imports not with itself, but when a notebook does the usual things with it: shows a
# table, reads Parquet, fits a model on a table. What is not there (any more) is passed over.
AT_FIRST_USE = {
    "pandas": (
        *("pandas.io.formats.html", "pandas.io.formats.string"),
        *("pandas.core.arrays.arrow.extension_types", "pyarrow.pandas_compat"),
        "pyarrow.vendored.version",
    ),
    "sklearn": (
        *("narwhals._pandas_like.dataframe", "narwhals._pandas_like.group_by"),
        *("narwhals._pandas_like.namespace", "narwhals._pandas_like.selectors"),
        "narwhals._interchange.dataframe",
        *("narwhals.stable.v2._namespace", "sklearn.utils._pprint"),
    ),
}

DEBUGGER = "debugpy"  # changes what `breakpoint()` does, once a kernel has imported it

KERNEL_NAMES = frozenset(KERNEL_MODULES)


class _KernelStandIn:
    """What `get_ipython()` gives while preloading: pandas asks whether it runs in a kernel."""

    kernel = object()


class Imports:
    """The modules to import ahead, one after the other, so that requests can be met in between.

    The garbage collector rests meanwhile, which saves a quarter of the time; what is there is then
    kept out of its sight for good, so that kernels do not copy pages by looking at them.

    Parameters
    ----------
    names : sequence of str, optional
        Modules, see `want`; None if they are not known yet.
    trusted : sequence of str
        Modules to import wherever they stand.
    hidden : sequence of str
        Modules that ipykernel is to do without.

    Attributes
    ----------
    skipped : dict of str to str
        Modules that could not be imported, and why.
    hidden : Hidden
        What was imported ahead, as far as a stock kernel has not imported it before its first cell.
    generators : Generators
        Random generators that imports have made.
    started : dict of str to str
        The environment that this process was given.
    by_kernel : dict of str to str
        Environment variables that have been set since, by `sitecustomize` and the kernel's own
        imports.
    """

    def __init__(
        self,
        names: Sequence[str] | None,
        trusted: Sequence[str] = (),
        hidden: Sequence[str] = (),
    ) -> None:
        self._missing = [name for name in hidden if name not in sys.modules]
        sys.modules.update(dict.fromkeys(self._missing))  # type: ignore[arg-type] # None: not there
        self.skipped: dict[str, str] = {}
        self.started = environment_at_start()
        self._ledger = Ledger(is_tried)
        self._asked_files = AskedFiles()
        self._finalizers = set(weakref.finalize._registry)  # type: ignore[attr-defined] # no other way
        self.hidden = Hidden(self._ledger)
        self.generators = Generators(self._ledger)
        self.by_kernel: dict[str, str] = {}
        self._loggers = Loggers()
        self._loggers_of_kernel: frozenset[str] = frozenset()
        self._is_hiding = False
        self._asked: frozenset[str] = frozenset()
        self._first = [*KERNEL_MODULES, *AT_THE_END, *trusted]
        self._todo: list[str] = []
        self._settled = False
        self._unsafe = ""
        self._known = False
        gc.disable()
        if names is not None:
            self.want(names)

    def want(self, names: Sequence[str]) -> None:
        """Say what else is to be imported.

        Parameters
        ----------
        names : sequence of str
            Modules; those that are not installed packages (a project's own modules) are left out.
        """
        self._known = True
        self._asked = frozenset(names)
        wanted = [name for name in names if _may_import(name)]
        tops = dict.fromkeys(name.partition(".")[0] for name in wanted)
        parts = dict.fromkeys(part for name in wanted for part in _parts(name))
        self._todo = [
            *(name for name in (*TABLES, *ALGEBRA) if name in parts),
            *wanted,
            *(late for top in tops for late in AT_FIRST_USE.get(top, ())),
        ]

    @property
    def idle(self) -> bool:
        """Whether there is nothing to import for the time being."""
        return not self._first and not self._todo

    @property
    def done(self) -> bool:
        """Whether nothing is left to import, and nothing more will come."""
        return self._known and self.idle

    def cover(self, needs: Sequence[str] | None) -> bool:
        """Whether a kernel that imports these top-level modules would gain nothing by waiting.

        None stands for needs that are not known: then everything has to be there.
        """
        missing = any(_is_needed(name, needs) for name in self._todo)
        return self._known and not self._first and not missing

    def advance(self, needs: Sequence[str] | None) -> None:
        """Import one more module, at best one that is needed."""
        queue = self._first or self._todo
        name = next((name for name in queue if _is_needed(name, needs)), queue[0])
        queue.remove(name)
        self._settled = False
        if self._is_hiding:
            self.hidden.show()
            self._is_hiding = False
        if queue is self._first and name in KERNEL_NAMES:
            with self._ledger.noting_reads(name), self._asked_files.watching():
                problem = _import(name)
            if not KERNEL_NAMES & set(self._first):
                self._kernel_is_complete()
        else:
            with self._asked_files.watching():
                problem = self._import_ahead(name)
        if problem and name in self._asked:
            self.skipped[name] = problem

    def settle(self) -> str:
        """Get ready for a fork; return why there must not be one, or an empty text."""
        if not self._settled and not self._unsafe:
            _fork_and_forget()
            if aliens := alien_threads():
                self._unsafe = f"threads are alive after the imports ({', '.join(aliens)})"
                self._todo.clear()
            self.generators.look()
            tops = {name.partition(".")[0] for name in self._asked}
            self.hidden.hide(self._asked | tops)
            self._is_hiding = True
            gc.freeze()
            self._settled = True
        return self._unsafe

    def names_read(self, names: Iterable[str]) -> list[str]:
        """Those among some environment variables that the imports have read, or may have."""
        return self._ledger.names_read(names)

    def files(self) -> set[str]:
        """The files of all modules that are imported, seen or hidden."""
        modules = [*sys.modules.values(), *map(self.hidden.get, self._ledger.loaded)]
        found = (getattr(each, "__dict__", {}).get("__file__") for each in modules)
        return {path for path in found if isinstance(path, str)}

    def changed_files(self) -> list[str]:
        """The files, other than modules', that the imports asked for and would now find changed."""
        return self._asked_files.changed()

    def become_a_kernels(self) -> None:
        """Leave to the zygote, in a kernel, what is the zygote's: exit hooks, temporary folders.

        What Python keeps of this process's beginning is the kernel's own.
        """
        self.hidden.is_in_kernel = True
        self._ledger.hooks.clear()
        for each in self._own_finalizers():
            each.atexit = False
            if (found := each.peek()) and isinstance(found[0], tempfile.TemporaryDirectory):
                each.detach()
        self.generators.reseed(self.hidden.get)
        asked = {name for names in self._ledger.loggers.values() for name in names}
        self._loggers.hide(asked - self._loggers_of_kernel)
        begin_clock()
        threading.main_thread()._set_native_id()  # type: ignore[attr-defined] # Python 3.11 keeps the zygote's

    def end(self) -> None:
        """Call the exit hooks of what was imported, and remove its temporary folders."""
        hooks = self._ledger.hooks
        while hooks:
            function, args, kwargs = hooks.pop()
            try:
                function(*args, **kwargs)
            except Exception:  # noqa: BLE001 - as Python itself treats them
                traceback.print_exc()
        for each in self._own_finalizers():
            if each.atexit:
                each()

    def _own_finalizers(self) -> list[Any]:
        """The finalizers that imports have made."""
        registry = weakref.finalize._registry  # type: ignore[attr-defined] # see above
        return [each for each in registry if each not in self._finalizers]

    def _kernel_is_complete(self) -> None:
        """Note what a stock kernel has before its first cell; anything else is hidden from it."""
        is_without_debugger = DEBUGGER in self._missing
        while self._missing:
            del sys.modules[self._missing.pop()]
        if is_without_debugger and importlib.util.find_spec(DEBUGGER) is not None:
            sys.breakpointhook = _pass_breakpoint
        # Each kernel would compile the pattern of Python's tokens before its first cell: 2 ms.
        for _ in tokenize.generate_tokens(iter(["0\n"]).__next__):
            pass
        for name in OURS:
            del sys.modules[name]  # who imports it next gets, and is noted for, one of its own
        self._finalizers = set(weakref.finalize._registry)  # type: ignore[attr-defined] # see above
        self.by_kernel = {
            name: text for name, text in os.environ.items() if self.started.get(name) != text
        }
        self._loggers_of_kernel = frozenset(names_of_loggers())
        self.generators.look(thoroughly=True)

    def _import_ahead(self, name: str) -> str:
        """Import a module, and write down what it does.

        What is there already is out of its sight, so that it can be seen to ask for it.
        """
        if name in sys.modules:
            return ""
        before = _streams()
        self.hidden.hide()
        with _as_in_a_kernel(), self._ledger.recording(name):
            problem = _import(name)
        self.generators.look()
        self.hidden.show()
        after = _streams()
        changed = any(before[key] != after[key] for key in before)
        if changed and not is_tried(name.partition(".")[0]):
            self._ledger.unfit.setdefault(name, "uses the common random stream when it is imported")
        return problem


def _streams() -> dict[str, Any]:
    """The states of the common random streams; a package has no business with them."""
    states: dict[str, Any] = {"random": random.getstate()}
    numpy = sys.modules.get("numpy.random.mtrand")
    if numpy is not None:
        _, words, *rest = numpy._rand.get_state()
        states["numpy"] = (words.tobytes(), *rest)
    return states


def _parts(name: str) -> tuple[str, ...]:
    """What a module imports first and takes long, so that it can be imported piece by piece."""
    return PARTS.get(name.partition(".")[0], ())


def _is_needed(name: str, needs: Sequence[str] | None) -> bool:
    """Whether a module belongs to one of the needed ones, or is imported by it."""
    if needs is None:
        return True
    top = name.partition(".")[0]
    return any(top == need or top in ALONG.get(need, ()) for need in needs)


def _import(name: str) -> str:
    """Import one module; return what went wrong, or an empty text."""
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - an import may raise anything, SystemExit too
        return f"{type(error).__name__}: {error}"
    return ""


def _may_import(name: str) -> bool:
    """Whether a module is to be tried; one whose parent fails to say is, and then says why."""
    try:
        return is_installed(name)
    except (ImportError, ValueError):
        return True


@contextmanager
def _as_in_a_kernel() -> Iterator[None]:
    """Look like a kernel to what is imported: inline plots, `get_ipython` at hand."""
    backend = os.environ.get("MPLBACKEND")
    if not backend:
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    builtins.get_ipython = _KernelStandIn  # type: ignore[attr-defined] # as IPython itself does
    try:
        yield
    finally:
        del builtins.get_ipython  # type: ignore[attr-defined] # see above
        if not backend:
            del os.environ["MPLBACKEND"]


def _pass_breakpoint() -> None:
    """Do nothing, as the debugger's own hook does while no client debugs."""


def _fork_and_forget() -> None:
    """Fork a child that ends at once: libraries with fork handlers end their threads."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
