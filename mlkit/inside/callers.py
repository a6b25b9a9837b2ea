"""Who is behind what happens in an interpreter: the project's own code, a package, or the kernel.

The same call counts or not by who makes it: that a notebook reads a variable does, that IPython
reads one does not. The frames of the interpreter's stack tell. Functions here are called from the
recorder's, whose frames they pass over.
"""

from __future__ import annotations

import os
import re
import sys
from _thread import get_ident
from types import CodeType, FrameType

# By their distance: in another environment's Python this package has another name.
from .counting_places import ELSEWHERE, OWN, is_hidden

__all__ = ["ASKS_FOR_OTHERS", "FOR_STATUS", "OF_METADATA", "Callers"]

RECORDING = frozenset(
    os.path.join(os.path.dirname(__file__), name)
    for name in ("recorder.py", "started_programs.py", "callers.py", "interpreter_hooks.py")
)
"""Files whose frames are nobody's who asks."""

IMPORT_SYSTEM = ("<frozen importlib._bootstrap", "<frozen zipimport", "<frozen runpy")
_NATIVE = (
    "pandas|polars|pyarrow|dask|xgboost|lightgbm|catboost|geopandas|pyogrio|rasterio|xarray|netCDF4"
    "|h5py|tables|torch|tensorflow|cv2"
)
NATIVE_PACKAGES = frozenset(_NATIVE.split("|"))
"""Packages that ask whether a file is there, and open it in compiled code."""
NATIVE_READERS = re.compile(f"/({_NATIVE})/")
WRITERS = re.compile(r"_?(to|write|save|dump|store|export|sink|log)(_|$)")
"""What functions are called that write the file that they ask for."""
ALL_AS_SETTINGS = re.compile(r"/(pydantic_settings|dynaconf|environs|everett|confuse|hydra)/")
"""Packages that copy the whole environment in order to look up settings in the copy."""
OF_KERNELS = ("/ipykernel/", "/IPython/", "/zmq/", "/tornado/", "/jupyter_client/", "/traitlets/")
CELL = re.compile(r"/ipykernel_\d+/")
OF_METADATA = re.compile(r"/importlib/metadata/|/functools\.py$|^<")
"""Files of the standard library by which code asks for packages."""
SEARCHES = re.compile(r"/glob\.py$|/pathlib(/\w+)?\.py$|/importlib/metadata/")
"""Files of the standard library that list folders for the few names that they look for."""
TELLS_ALL_NAMES = frozenset(("iterdir", "walk", "_scandir"))
"""Functions in these files that list for whoever calls them; `Path.walk` is since Python 3.12."""
ASKS_FOR_OTHERS = re.compile(r"/(os|posixpath|genericpath|glob|pathlib(/\w+)?)\.py$|^<")
"""Files of the standard library whose questions are their caller's; others ask on their own."""
FOR_STATUS = ("stat", "getmtime", "getctime")
"""Functions that tell of a file what neither its content nor its kind says."""
OF_STATUS = frozenset(("st_size", "st_mtime", "st_mtime_ns", "st_ctime", "st_ctime_ns", "st_mode"))
READS_ENVIRON = re.compile(r"/(os|_collections_abc)\.py$|^<")
OF_SYSTEM = re.compile(
    r"/(zoneinfo|platform|locale|gettext|mimetypes|ssl|netrc|uuid|multiprocessing|subprocess|ctypes"
    r"|linecache|traceback|inspect|webbrowser|getpass|sysconfig|site|_sitebuiltins)\b[^/]*(/\w+\.py|\.py)?$"
)


class Callers:
    """Tells of the present call who is behind it.

    Parameters
    ----------
    installation : tuple of str
        The folders of the standard library and of installed packages.
    in_kernel : bool
        Whether this process is the attempt's kernel, or was forked by it.
    """

    def __init__(self, installation: tuple[str, ...], *, in_kernel: bool) -> None:
        self._inst = installation
        self._in_kernel = in_kernel
        self._kinds: dict[str, str] = {}

    def is_in_cell(self) -> bool:
        """Whether the notebook is behind what happens, and not the kernel on its own account."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if self.kind(frame) == "own":
                return True
            frame = frame.f_back
        return not self.is_main_thread()

    def wants_content(self) -> bool:
        """Whether who asks for a file will see what it holds, in a way that nobody tells of.

        Its size, which the notebook's code asks for; or all of it, read by compiled code.
        """
        if self.way_of_asking() in ("getsize", *FOR_STATUS):
            return True
        return self._nearest_native_reader() == "reader"

    def way_of_asking(self) -> str:
        """By which of Python's functions the notebook's code asks; empty if anybody else asks."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and self.kind(frame) == "recorder":
            frame = frame.f_back
        name = "stat"
        while frame is not None and self.kind(frame) == "stdlib":
            if name == "stat":
                name = frame.f_code.co_name
            frame = frame.f_back
        return name if frame is not None and self.kind(frame) == "own" else ""

    def is_written_natively(self) -> bool:
        """Whether a package asks in order to write the file, which it does in compiled code."""
        return self._nearest_native_reader() == "writer"

    def reads_folder_natively(self, folder: str) -> bool:
        """Whether a package asks that reads in compiled code what a folder holds."""
        return self._nearest_native_reader(folder) == "reader"

    def asks_for_status(self, frame: FrameType) -> bool:
        """Whether a frame runs the project's own code, and asks for sizes or dates of files."""
        return self.kind(frame) == "own" and _speaks_of_status(frame.f_code)

    def _nearest_native_reader(self, handed: str = "") -> str:
        """Whether a package that opens files in compiled code asks, to read or to write them.

        Of a folder that is `handed` to it: what packages look for beside a file is no such folder.
        """
        if NATIVE_PACKAGES.isdisjoint(sys.modules):
            return ""
        frame: FrameType | None = sys._getframe(1)
        found = ""
        while frame is not None:
            kind = self.kind(frame)
            if kind == "own":
                return found
            if kind == "import":
                return ""
            if kind == "package" and NATIVE_READERS.search(frame.f_code.co_filename):
                if handed and not found and not _is_handed(handed, frame):
                    return ""
                found = found or "reader"
            if found and WRITERS.match(frame.f_code.co_name):
                found = "writer"
            frame = frame.f_back
        return ""

    def is_for_settings(self) -> bool:
        """Whether all variables are copied by a package that looks settings up in its copy."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            kind = self.kind(frame)
            if kind == "package":
                return ALL_AS_SETTINGS.search(frame.f_code.co_filename) is not None
            if kind == "own":
                return False
            frame = frame.f_back
        return False

    def is_own_question(self, between: re.Pattern[str]) -> bool:
        """Whether the notebook's code asks, with nothing but these files of Python's between."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            kind = self.kind(frame)
            if kind == "own":
                return True
            if kind in ("package", "import"):
                return False
            if kind == "stdlib" and OF_SYSTEM.search(frame.f_code.co_filename):
                return False
            if kind == "stdlib" and not between.search(frame.f_code.co_filename):
                return False
            frame = frame.f_back
        return False

    def asks_itself(self, place: str) -> bool:
        """Whether the notebook's own code, or the import system, opens a file outside the project.

        So it does if it hands the path to a package, as to `pandas.read_csv`. What packages keep
        elsewhere for themselves (caches of fonts, zones, settings) is nothing that it reads.
        """
        if place.startswith(ELSEWHERE):
            return False
        frame: FrameType | None = sys._getframe(1)
        called: FrameType | None = None
        while frame is not None:
            kind = self.kind(frame)
            if kind == "import":
                return place.endswith((".py", ".zip", ".egg", ".pyz", ".whl"))
            if kind == "own":
                return called is None or _is_handed(place, called)
            if kind == "stdlib" and called is None:
                if OF_SYSTEM.search(frame.f_code.co_filename):
                    return False  # it looks up what the system says, on nobody's behalf
            elif kind == "package":
                called = frame
            frame = frame.f_back
        return False

    def is_asked_for(self, *, lists: bool = False) -> bool:
        """Whether the notebook's code asks, by itself or through a package that it calls.

        A search by a pattern, of which the matching names are recorded, is no question for all
        names.
        """
        frame: FrameType | None = sys._getframe(1)
        if lists:
            while frame is not None and self.kind(frame) in ("stdlib", "recorder"):
                code = frame.f_code
                if code.co_name not in TELLS_ALL_NAMES and SEARCHES.search(code.co_filename):
                    return False
                frame = frame.f_back
        return self.asker() in ("own", "package")

    def asker(self, *, by_name: bool = False) -> str:
        """Who is behind a call: the project's own code, a package that it calls, or neither.

        Walks outwards: what a module does while it is imported is not done by who imports it,
        unless the module is the project's own. With `by_name` the library's modules count as
        packages, too, but for those by which a program reads its environment: that `subprocess`
        looks at PATH is not the caller's question.
        """
        frame: FrameType | None = sys._getframe(1)
        nearest = ""
        of_kernel = False
        while frame is not None:
            kind = self.kind(frame)
            if kind == "own":
                return nearest or "own"
            if kind == "import":
                return "import"
            if by_name and kind == "stdlib" and not READS_ENVIRON.search(frame.f_code.co_filename):
                nearest = "package"
            if kind == "package":
                nearest = "package"
                of_kernel = of_kernel or any(k in frame.f_code.co_filename for k in OF_KERNELS)
            frame = frame.f_back
        return "kernel" if of_kernel or self.is_main_thread() else nearest or "kernel"

    def is_main_thread(self) -> bool:
        """Whether this is the thread in which a kernel runs its cells."""
        threading = sys.modules.get("threading")
        return threading is None or threading.main_thread().ident == get_ident()

    def kind(self, frame: FrameType) -> str:
        """What kind of code a frame runs: own, package, import, stdlib or recorder."""
        file = frame.f_code.co_filename
        if frame.f_code.co_name == "_modified_open":  # the `open` of IPython's cells
            return "recorder"
        kind = self._kinds.get(file)
        if kind is None:
            kind = self._kinds[file] = self._kind_of_file(file)
        if kind == "text":
            is_main = not self._in_kernel and frame.f_globals.get("__name__") == "__main__"
            return "own" if is_main else "stdlib"
        return kind

    def _kind_of_file(self, file: str) -> str:
        if file in RECORDING:
            return "recorder"
        if file.startswith(IMPORT_SYSTEM):
            return "stdlib" if file.startswith("<frozen runpy") else "import"
        if file.startswith("<ipython-input") or CELL.search(file):
            return "own"
        if file.startswith("<"):
            return "text"
        place = file if file.startswith(self._inst) and ".." not in file else os.path.abspath(file)
        if place.startswith(self._inst):
            is_package = "site-packages" in place or "dist-packages" in place
            return "package" if is_package else "stdlib"
        if place.startswith(OWN) and not place.startswith(OWN + "ml/"):
            return "package"
        return "own"


def _is_handed(place: str, called: FrameType) -> bool:
    """Whether a function was called with a path, or with a folder that holds it."""
    code, found = called.f_code, called.f_locals
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # *args and **kwargs
    values = [found[name] for name in code.co_varnames[:count] if name in found]
    for value in list(values):
        if isinstance(value, list | tuple):
            values += value[:20]
        elif type(value) is dict:
            values += list(value.values())[:20]
    for value in values:
        if isinstance(value, str | os.PathLike):
            try:
                path = os.path.abspath(os.path.expanduser(os.fsdecode(value)))
            except (TypeError, ValueError, OSError):
                continue
            if place == path:
                return True
            if path != os.sep and place.startswith(path + os.sep) and not is_hidden(place):
                return True
    return False


def _speaks_of_status(code: CodeType) -> bool:
    """Whether code asks for sizes or dates, in itself or in a function or comprehension in it."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return not OF_STATUS.isdisjoint(code.co_names) or any(map(_speaks_of_status, inner))
