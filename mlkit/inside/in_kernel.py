"""What the driver asks of a kernel before the first cell and after the last one."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from typing import Any

# By their distance: in another environment's Python this package has another name.
from . import recorder
from .echo import echo_again, tell_once
from .flushing import keep_flushable
from .interpreter_hooks import import_project_modules_from_source

__all__ = ["begin", "end", "stay"]


def begin(notebook_folder: str, settings: str | None = None) -> None:
    """Put the notebook's own folder first on `sys.path`, and record from here on what is read.

    Parameters
    ----------
    notebook_folder : str
        The folder.
    settings : str, optional
        The file with the recorder's settings; without it nothing is recorded.
    """
    if notebook_folder in sys.path:
        sys.path.remove(notebook_folder)
    sys.path.insert(0, notebook_folder)
    import_project_modules_from_source()
    tell_once()
    keep_flushable()
    if settings is not None:
        recorder.start(settings, notebook_folder)


def end(path: str) -> None:
    """Write what the notebook imported, what it raised, and what it used, as JSON.

    Parameters
    ----------
    path : str
        The file to write: `{"modules": {NAME: FILE}, "imported": [NAME], "bases": [CLASS],
        "cpu_s": SECONDS, "peak_memory_bytes": BYTES}`.
    """
    echo_again()
    found = {
        "modules": _project_modules(),
        "imported": sorted({name.partition(".")[0] for name in _names()}),
        "bases": _raised_classes(),
        **_usage(),
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found, file)


def stay(env: dict[str, str]) -> None:
    """Be a kernel that somebody works in by hand: nothing is recorded, and no run is told.

    Parameters
    ----------
    env : dict of str to str
        Environment variables to set: what leads to a run's files leads elsewhere from here on.
    """
    recorder.stop()
    application = sys.modules.get("ipykernel.kernelapp")
    if application is not None and application.IPKernelApp.initialized():
        orders = getattr(application.IPKernelApp.instance(), "orders", None)
        if orders is not None:  # a forked one would end in order to be replaced by a stock one
            orders.may_begin_again = False
    os.environ.update(env)


def _names() -> list[str]:
    return [name for name in list(sys.modules) if isinstance(name, str)]


def _project_modules() -> dict[str, str]:
    """Modules whose file lies outside the standard library and site-packages."""
    foreign = _foreign_folders()
    found = {}
    for name in _names():
        module = sys.modules.get(name)
        file = _file_of(module)
        if file is None or name == "__main__" or name.partition(".")[0] == "mlkit_handed":
            continue
        if name == "mlkit" or name.startswith("mlkit."):
            if name == "mlkit.ml" or name.startswith("mlkit.ml."):
                found[name] = os.path.abspath(file)
            continue
        if file.startswith(foreign):
            continue  # most of them, and the disk need not be asked about links
        place = os.path.realpath(file)
        if not place.startswith(foreign) and "/site-packages/" not in place.replace(os.sep, "/"):
            found[name] = os.path.abspath(file)
    return found


def _file_of(module: Any) -> str | None:
    """A module's file; what stands in `sys.modules` may be any object, and may refuse to answer."""
    try:
        file = module.__file__
    except Exception:  # noqa: BLE001 - lazy modules raise what they like
        return None
    return file if isinstance(file, str) else None


def _foreign_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {os.path.dirname(os.__file__)}
    folders |= {os.path.realpath(folder) for folder in folders}
    return tuple(folder + os.sep for folder in folders)


def _raised_classes() -> list[str]:
    error: Any = getattr(sys, "last_value", None)
    if not isinstance(error, BaseException):
        return []
    classes = [cls for cls in type(error).__mro__ if cls is not object]
    return [f"{cls.__module__}.{cls.__qualname__}" for cls in classes]


def _usage() -> dict[str, float]:
    try:
        import resource  # Windows has none
    except ImportError:
        return {}
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "cpu_s": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "peak_memory_bytes": unit * max(own.ru_maxrss, children.ru_maxrss),
    }
