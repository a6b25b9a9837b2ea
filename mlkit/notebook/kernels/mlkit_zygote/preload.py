"""Import ahead what kernels will import, and only what is safe to import ahead."""

from __future__ import annotations

import builtins
import gc
import importlib
import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .system import alien_threads

__all__ = ["Imports", "is_installed"]

# What a kernel imports by itself between its start and its first cell; absent ones are passed over.
KERNEL_MODULES = (
    *("ipykernel.kernelapp", "ipykernel.debugger", "debugpy.server.api", "faulthandler"),
    *("tornado.platform.asyncio", "tornado.queues", "pdb", "sqlite3"),
    *("IPython.core.debugger", "IPython.core.oinspect", "IPython.core.logger"),
    *("IPython.core.completerlib", "IPython.extensions.storemagic", "psutil"),
)

PARTS = {
    "pandas": ("numpy", "pyarrow"),
    "sklearn": ("scipy.sparse", "scipy.linalg", "scipy.special", "scipy.optimize", "scipy.stats"),
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

# Packages that register themselves with the running kernel, or choose how to show things by it,
# when they are imported: each kernel has to import them itself.
NEVER = frozenset(
    {
        *("altair", "anywidget", "bokeh", "holoviews", "hvplot", "ipympl", "ipywidgets"),
        *("matplotlib_inline", "panel", "plotly", "pyvista", "rich", "tqdm"),
    }
)


class _KernelStandIn:
    """What `get_ipython()` gives while preloading: pandas asks whether it runs in a kernel."""

    kernel = object()


def is_installed(name: str) -> bool:
    """Whether a module belongs to the standard library or stands in site-packages."""
    top = name.partition(".")[0]
    if top in NEVER:
        return False
    spec = importlib.util.find_spec(top)
    if spec is None:
        return True  # importing it will say what is wrong
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return all(_in_site_packages(Path(place)) for place in places if place is not None)


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
    """

    def __init__(
        self,
        names: Sequence[str] | None,
        trusted: Sequence[str] = (),
        hidden: Sequence[str] = (),
    ) -> None:
        self._hidden = [name for name in hidden if name not in sys.modules]
        sys.modules.update(dict.fromkeys(self._hidden))  # type: ignore[arg-type] # None: not there
        self.skipped: dict[str, str] = {}
        self._asked: frozenset[str] = frozenset()
        self._first = [*KERNEL_MODULES, *trusted]
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
        self._todo = [
            *(part for name in wanted for part in (*_parts(name), name)),
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
        with _as_in_a_kernel():
            problem = _import(name)
        if problem and name in self._asked:
            self.skipped[name] = problem
        if not self._first:
            while self._hidden:
                del sys.modules[self._hidden.pop()]

    def settle(self) -> str:
        """Get ready for a fork; return why there must not be one, or an empty text."""
        if not self._settled and not self._unsafe:
            _fork_and_forget()
            if aliens := alien_threads():
                self._unsafe = f"threads are alive after the imports ({', '.join(aliens)})"
                self._todo.clear()
            gc.freeze()
            self._settled = True
        return self._unsafe


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


def _in_site_packages(place: Path) -> bool:
    """Whether a file lies under site-packages or the standard library."""
    roots = {
        *(sysconfig.get_path(key) for key in ("purelib", "platlib", "stdlib", "platstdlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
    return any(place.resolve().is_relative_to(Path(root).resolve()) for root in roots)


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


def _fork_and_forget() -> None:
    """Fork a child that ends at once: libraries with fork handlers end their threads."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
