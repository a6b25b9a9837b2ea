"""Watch over the environment of a forked kernel: what was imported ahead has read another one.

When a notebook sets a variable that a module which is still hidden may read, the kernel ends at
once and tells its driver to begin again in a stock kernel, if nothing outside has been touched by
then. Otherwise it goes on, and tells that its result is not to be relied on.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Callable
from typing import Any

from .handing import Hidden

__all__ = ["Guard"]

# Read by compiled libraries, which nobody sees, when they are loaded.
BY_LIBRARIES = (
    *("OMP_", "GOMP_", "KMP_", "OPENBLAS_", "GOTO_", "MKL_", "BLIS_", "NUMEXPR_", "VECLIB_"),
    *("CUDA_", "NVIDIA_", "TF_", "XLA_", "JAX_", "TORCH_", "PYTORCH_", "NPY_", "NUMPY_", "MPL"),
    *("NUMBA_", "POLARS_", "ARROW_", "SKLEARN_", "SCIPY_", "MALLOC_", "JOBLIB_", "LOKY_"),
)
TIME_ZONE = "TZ"
REACHING_OUT = frozenset(
    {
        *("subprocess.Popen", "os.posix_spawn", "os.spawn", "os.exec", "os.system", "os.fork"),
        *("os.forkpty", "pty.spawn", "socket.connect", "socket.sendto", "socket.sendmsg"),
    }
)
PLACES = {  # where the path stands among an event's arguments, for what changes files
    **dict.fromkeys(("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod"), (0,)),
    **dict.fromkeys(("os.chown", "os.utime", "os.setxattr", "sqlite3.connect"), (0,)),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), (0, 1)),
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
HARMLESS = ("/dev/null", "/dev/tty", "/dev/shm/")


class Guard:
    """An audit hook; it costs a look into a table for events that do not matter.

    Parameters
    ----------
    hidden : Hidden
        What was imported ahead and not handed back.
    tell : callable
        Tells the driver: with True that the kernel ends here and is to be replaced by a stock one,
        with False that its result is not to be relied on; and why.
    """

    def __init__(self, hidden: Hidden, tell: Callable[..., None]) -> None:
        self._hidden = hidden
        self._tell = tell
        self._told: set[str] = set()
        self._touched = ""
        self._armed = False
        self._pid = os.getpid()
        self._cwd = ""
        paths = sysconfig.get_paths()
        keys = ("stdlib", "platstdlib", "purelib", "platlib")
        self._installed = tuple(
            {paths[key] + os.sep for key in keys}
            | {each + os.sep for each in site.getsitepackages()}
        )
        self._watched = {"os.putenv", "os.unsetenv", "open", *REACHING_OUT, *PLACES}

    def arm(self) -> None:
        """Begin to watch: environment and working directory are the notebook's from now on."""
        self._cwd = os.path.realpath(os.getcwd()) + os.sep  # noqa: PTH109 - pathlib is not imported here
        self._armed = True
        self._hidden.object_to = self.object_to
        sys.addaudithook(self._hook)

    def object_to(self, reason: str) -> None:
        """Say that something which was imported ahead is not what a stock kernel would have."""
        if not self._armed or os.getpid() != self._pid:
            return
        if not self._touched:
            self._tell(True, reason)
        elif reason not in self._told:
            self._told.add(reason)
            self._tell(False, f"{reason}, after the notebook had {self._touched}")

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in self._watched or not self._armed or os.getpid() != self._pid:
            return
        if event in {"os.putenv", "os.unsetenv"}:
            if self._hidden.is_repeating:
                return
            name = os.fsdecode(arguments[0])
            if self.may_be_read(name) and not _within_import(self._installed):
                self.object_to(
                    f"the notebook sets {name}, which may be read by what was imported ahead"
                )
        elif self._touched:
            return
        elif event in REACHING_OUT:
            self._touched = f"reached out ({event})"
        elif event == "open":
            path, mode, flags = arguments
            writes = flags & WRITING if isinstance(flags, int) else False
            if (writes or (mode and set(str(mode)) & set("wax+"))) and self._is_outside(path):
                self._touched = f"written to {os.fsdecode(path)}"
        elif any(self._is_outside(arguments[place]) for place in PLACES[event]):
            self._touched = f"changed files elsewhere ({event})"

    def may_be_read(self, name: str) -> bool:
        """Whether something that was imported ahead may have read a variable."""
        tops = self._hidden.tops()
        if (name.startswith(BY_LIBRARIES) or name == TIME_ZONE) and any(
            top not in sys.stdlib_module_names and top != "mlkit" for top in tops
        ):
            return True
        return self._hidden.readers_of(name)

    def _is_outside(self, path: Any) -> bool:
        """Whether a path lies outside the working directory; our own records do not count."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            return False
        text = os.fsdecode(path)
        if text.startswith(HARMLESS) or "__pycache__" in text or text in {":memory:", ""}:
            return False
        if _is_no_deed_of_the_notebooks():  # at a glance, as each line of the record is one
            return False
        place = os.path.join(os.path.realpath(os.path.dirname(text)), "")  # noqa: PTH118, PTH120 - see above
        return not place.startswith(self._cwd)


def _within_import(installed: tuple[str, ...]) -> bool:
    """Whether an installed package is doing this while it is imported, which stock ones do too."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "<module>":
            return str(code.co_filename).startswith(installed)
        frame = frame.f_back
    return False


def _is_no_deed_of_the_notebooks() -> bool:
    """Whether the kit itself does this, for its records, or the search for a temporary folder."""
    frame: Any = sys._getframe(3)
    for _ in range(12):
        if frame is None:
            return False
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith("mlkit.inside") or frame.f_code.co_name == "_get_default_tempdir":
            return True
        frame = frame.f_back
    return False
