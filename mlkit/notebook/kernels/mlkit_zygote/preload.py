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
from dataclasses import dataclass
from pathlib import Path

from .system import alien_threads

__all__ = ["Preloaded", "import_all", "is_installed"]

# What a kernel imports by itself between its start and its first cell; absent ones are passed over.
KERNEL_MODULES = (
    *("ipykernel.kernelapp", "ipykernel.debugger", "debugpy.server.api", "faulthandler"),
    *("tornado.platform.asyncio", "tornado.queues", "pdb", "sqlite3"),
    *("IPython.core.debugger", "IPython.core.oinspect", "IPython.core.logger"),
    *("IPython.core.completerlib", "IPython.extensions.storemagic", "psutil"),
)

# Packages that register themselves with the running kernel, or choose how to show things by it,
# when they are imported: each kernel has to import them itself.
NEVER = frozenset(
    {
        *("altair", "anywidget", "bokeh", "holoviews", "hvplot", "ipympl", "ipywidgets"),
        *("matplotlib_inline", "panel", "plotly", "pyvista", "rich", "tqdm"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Preloaded:
    """What came of preloading.

    Parameters
    ----------
    skipped : dict of str to str
        Modules that could not be imported, and why.
    unsafe : str
        Why this process must not fork kernels; empty where it may.
    """

    skipped: dict[str, str]
    unsafe: str


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


def import_all(names: Sequence[str], trusted: Sequence[str] = ()) -> Preloaded:
    """Import a kernel's own modules and then `names`, and look whether it is still safe to fork.

    The garbage collector rests meanwhile, which saves a quarter of the time; afterwards it leaves
    alone for good what is there, so that kernels do not copy pages by looking at them.

    Parameters
    ----------
    names : sequence of str
        Modules; those that are not installed packages (a project's own modules) are left out.
    trusted : sequence of str
        Modules to import wherever they stand.

    Returns
    -------
    Preloaded
        What was left out because it failed, and whether this process may fork.
    """
    skipped: dict[str, str] = {}
    culprit = ""
    gc.disable()
    with _as_in_a_kernel():
        for name in (*KERNEL_MODULES, *trusted, *filter(_may_import, names)):
            problem = _import(name)
            if problem and name in names:
                skipped[name] = problem
    _fork_and_forget()
    aliens = alien_threads()
    if aliens:
        culprit = f"threads are alive after the imports ({', '.join(aliens)})"
    gc.freeze()
    gc.enable()
    return Preloaded(skipped=skipped, unsafe=culprit)


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
