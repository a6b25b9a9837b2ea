"""The ways in which a cell can read something, each a few lines of code with a description.

Nothing here knows which of them mlkit can see. A way has a kind, which says what it can be pointed
at; the machine crosses all ways of a kind with all changes of what they read.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["PREAMBLE", "WAYS", "Kind", "Way", "ways_of"]

Kind = Literal[
    "code", "module", "script", "data", "existence", "listing", "resource", "variable", "package",
    "parameter", "start-up", "instance", "input names", "nothing",
]  # fmt: skip

PREAMBLE = """import importlib, importlib.resources, importlib.util, json, os
import pkgutil, runpy, subprocess, sys
from pathlib import Path
here = Path(sys.path[0])
root = here.parents[1]
values = {}"""
"""`here` is the notebook's own folder, `root` the project's."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way of reading.

    Parameters
    ----------
    name : str
        A short name.
    words : str
        What the cell does, for a report.
    kind : str
        What it reads.
    code : str
        The cell; KEY stands for the value's name, TARGET for what is read.
    slow : bool
        It starts an interpreter or imports a large library, so it is drawn seldom.
    """

    name: str
    words: str
    kind: Kind
    code: str
    slow: bool = False


_POOL = """import multiprocessing
with multiprocessing.get_context("METHOD").Pool(1) as pool:
    values["KEY"] = pool.apply(CALL)"""

_CHILD = "subprocess.run(ARGS, cwd=here, stdout=subprocess.PIPE, text=True, check=True).stdout"


def _value(name: str, words: str, kind: Kind, expression: str, before: str = "") -> Way:
    lines = [before] if before else []
    code = "\n".join([*lines, f'values["KEY"] = {expression}'])
    return Way(name=name, words=words, kind=kind, code=code)


def _lines(name: str, words: str, kind: Kind, code: str, *, slow: bool = False) -> Way:
    return Way(name=name, words=words, kind=kind, code=code, slow=slow)


def _pool(name: str, words: str, kind: Kind, call: str, method: str = "fork") -> Way:
    code = _POOL.replace("CALL", call).replace("METHOD", method)
    return Way(name=name, words=words, kind=kind, code=code, slow=method == "spawn")


def _child(name: str, words: str, kind: Kind, arguments: str) -> Way:
    code = f'values["KEY"] = {_CHILD.replace("ARGS", arguments)}'
    return Way(name=name, words=words, kind=kind, code=code, slow="executable" in arguments)


_MODULE = (
    _value("import", "imports it", "module", "found.V", "import TARGET as found"),
    _value("from", "imports a name from it", "module", "found", "from TARGET import V as found"),
    _value("import_module", "calls importlib.import_module", "module",
           'importlib.import_module("TARGET").V'),
    _value("resolve_name", "calls pkgutil.resolve_name", "module",
           'pkgutil.resolve_name("TARGET:V")'),
    _value("lazily", "imports it in a function", "module", "late()",
           "def late():\n    import TARGET as found\n    return found.V"),
    _value("run -m", "says %run -m", "module", "V", "%run -m TARGET"),
    _value("run_module", "calls runpy.run_module", "module", 'runpy.run_module("TARGET")["V"]'),
    _lines("tried", "imports it if it is there", "module",
           'try:\n    import TARGET as found\n    values["KEY"] = found.V\n'
           'except ImportError:\n    values["KEY"] = "none"'),
    _lines("reloaded", "imports it with %autoreload", "module",
           "%load_ext autoreload\n%autoreload 2\nimport TARGET as found\n%autoreload 0\n"
           'values["KEY"] = found.V'),
    _value("unpickled", "unpickles a name of it", "module",
           r'pickle.loads(b"cTARGET\nV\n.")', "import pickle"),
    _lines("executor", "imports it in a worker of an executor", "module",
           "from concurrent.futures import ProcessPoolExecutor\n"
           "with ProcessPoolExecutor(1) as workers:\n"
           '    values["KEY"] = workers.submit(pkgutil.resolve_name, "TARGET:V").result()'),
    _value("find_spec", "asks whether there is such a module", "module",
           'importlib.util.find_spec("TARGET") is not None'),
    _pool("worker", "imports it in a forked worker", "module",
          'pkgutil.resolve_name, ("TARGET:V",)'),
    _pool("spawned worker", "imports it in a spawned worker", "module",
          'pkgutil.resolve_name, ("TARGET:V",)', "spawn"),
    _lines("joblib", "imports it in joblib's workers", "module",
           'import joblib\nvalues["KEY"] = joblib.Parallel(n_jobs=2)(\n'
           '    joblib.delayed(pkgutil.resolve_name)("TARGET:V") for _ in range(2))', slow=True),
    _child("python -m", "starts python -m", "module", '[sys.executable, "-m", "TARGET"]'),
    _child("python -c", "imports it in a process that it starts", "module",
           '[sys.executable, "-c", "import TARGET; print(TARGET.V)"]'),
)  # fmt: skip

_SCRIPT = (
    _value("run", "says %run", "script", "V", "%run {root}/TARGET"),
    _value("exec", "executes its text", "script", "V", 'exec(open(root / "TARGET").read())'),
    _value("compile", "compiles its text", "script", 'space["V"]',
           'space = {"__name__": "text"}\n'
           'exec(compile((root / "TARGET").read_text(), "TARGET", "exec"), space)'),
    _value("run_path", "calls runpy.run_path", "script", 'runpy.run_path(root / "TARGET")["V"]'),
    _value("spec", "loads it with a spec", "script", "found.V",
           'spec = importlib.util.spec_from_file_location("found", root / "TARGET")\n'
           "found = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(found)"),
    _value("loader", "loads it with a loader", "script",
           'SourceFileLoader("found", str(root / "TARGET")).load_module().V',
           "from importlib.machinery import SourceFileLoader"),
    _lines("shell", "starts it with !python", "script",
           'said = !{sys.executable} {root}/TARGET\nvalues["KEY"] = said[-1]', slow=True),
    _child("subprocess", "starts it with subprocess", "script",
           '[sys.executable, root / "TARGET"]'),
    _lines("system", "starts it with os.system", "script",
           'os.system(f"{sys.executable} {root}/TARGET > said.txt")\n'
           'values["KEY"] = Path("said.txt").read_text()', slow=True),
)  # fmt: skip

_DATA = (
    _value("read_text", "reads it with pathlib", "data", '(root / "TARGET").read_text()'),
    _value("open", "opens it", "data", 'open(root / "TARGET", "rb").read().decode()'),
    _value("os.open", "opens it with os.open", "data", "os.read(number, 99).decode()",
           'number = os.open(root / "TARGET", os.O_RDONLY)'),
    _value("relative", "opens it from another working folder", "data", "read",
           'before = os.getcwd()\nos.chdir(here)\nread = open("../../TARGET").read()\n'
           "os.chdir(before)"),
    _value("csv", "reads it with csv", "data", 'list(csv.reader(open(root / "TARGET")))',
           "import csv"),
    _value("linecache", "reads it with linecache", "data",
           'linecache.getlines(str(root / "TARGET"))', "import linecache"),
    _value("mmap", "maps it into memory", "data", 'bytes(mmap.mmap(file.fileno(), 0, '
           'access=mmap.ACCESS_READ)).decode()', 'import mmap\nfile = open(root / "TARGET")'),
    _value("copy", "copies it and reads the copy", "data", 'Path("copy").read_text()',
           'import shutil\nshutil.copy(root / "TARGET", "copy")'),
    _value("fileinput", "reads it line by line", "data",
           'list(fileinput.input(root / "TARGET"))', "import fileinput"),
    _value("digest", "takes its digest", "data",
           'hashlib.file_digest(open(root / "TARGET", "rb"), "sha256").hexdigest()',
           "import hashlib"),
    _value("file address", "opens its address", "data",
           'urlopen((root / "TARGET").as_uri()).read().decode()',
           "from urllib.request import urlopen"),
    _value("compared", "compares it with another", "data",
           '(filecmp.cmp(root / "TARGET", "same", shallow=False), Path("same").read_text())',
           'import filecmp, shutil\nshutil.copy2(root / "TARGET", "same")'),
    _value("popen", "has a shell read it through a pipe", "data",
           "os.popen(f\"cat '{root}/TARGET'\").read()"),
    _lines("awaited", "awaits a program that reads it", "data",
           "import asyncio\nprocess = await asyncio.create_subprocess_exec(\n"
           '    "cat", root / "TARGET", stdout=asyncio.subprocess.PIPE)\n'
           'values["KEY"] = (await process.communicate())[0].decode()'),
    _child("cat", "hands it to a program", "data", '["cat", root / "TARGET"]'),
    _lines("shell cat", "hands it to a program with !", "data",
           'said = !cat {root}/TARGET\nvalues["KEY"] = list(said)'),
    _value("by number", "opens it by its folder's number", "data", "os.read(number, 99).decode()",
           'folder = os.open(root, os.O_RDONLY)\n'
           'number = os.open("TARGET", os.O_RDONLY, dir_fd=folder)'),
    _lines("shell cell", "hands it to a program in a cell for bash", "data",
           'get_ipython().run_cell_magic("bash", "--out said", f"cat {root}/TARGET")\n'
           'values["KEY"] = said'),
    _lines("redirected", "has a shell copy it, and reads the copy", "data",
           '!cat < {root}/TARGET > copied && mv copied moved\n'
           'values["KEY"] = Path("moved").read_text()'),
    _child("login shell", "hands it to a program in a shell of its own", "data",
           '["bash", "-lc", f"cat {root}/TARGET"]'),
    _pool("worker reads", "reads it in a worker", "data", 'Path.read_text, (root / "TARGET",)'),
    _lines("numpy", "reads it with NumPy", "data",
           'import numpy\nvalues["KEY"] = numpy.loadtxt(root / "TARGET", skiprows=1).tolist()',
           slow=True),
    _lines("pandas", "reads it with pandas", "data",
           'import pandas\nvalues["KEY"] = pandas.read_csv(root / "TARGET").v.tolist()', slow=True),
)  # fmt: skip

_EXISTENCE = (
    _value("exists", "asks whether it exists", "existence", '(root / "TARGET").exists()'),
    _value("isfile", "asks whether it is a file", "existence", 'os.path.isfile(root / "TARGET")'),
    _value("access", "asks whether it can be read", "existence",
           'os.access(root / "TARGET", os.R_OK)'),
    _lines("try", "opens it if it is there", "existence",
           'try:\n    values["KEY"] = open(root / "TARGET").read()\n'
           'except FileNotFoundError:\n    values["KEY"] = "none"'),
    _lines("stat", "asks for its size", "existence",
           'try:\n    values["KEY"] = os.stat(root / "TARGET").st_size\n'
           'except FileNotFoundError:\n    values["KEY"] = "none"'),
    _lines("by number asked", "asks for its size by its folder's number", "existence",
           'try:\n    values["KEY"] = os.stat("TARGET", dir_fd=os.open(root, 0)).st_size\n'
           'except FileNotFoundError:\n    values["KEY"] = "none"'),
    _value("lexists", "asks whether there is a name", "existence",
           'os.path.lexists(root / "TARGET")'),
    _value("may execute", "asks whether it is there to be executed", "existence",
           '((root / "TARGET").exists(), os.access(root / "TARGET", os.X_OK))'),
    _lines("same file", "asks whether it is the same by another path", "existence",
           'try:\n    values["KEY"] = os.path.samefile(root / "TARGET", here / "../../TARGET")\n'
           'except FileNotFoundError:\n    values["KEY"] = "none"'),
    _lines("shell asks", "asks in a shell", "existence",
           'said = !test -e {root}/TARGET && echo there || echo none\nvalues["KEY"] = list(said)'),
    _value("if there", "reads it if it exists", "existence",
           'there.read_text() if there.exists() else "none"', 'there = root / "TARGET"'),
)  # fmt: skip

_LISTING = (
    _value("glob", "globs", "listing", 'sorted(p.name for p in (root / "TARGET").glob("*.csv"))'),
    _value("glob.glob", "globs with glob", "listing",
           'sorted(map(os.path.basename, glob.glob(f"{root}/TARGET/*.csv")))', "import glob"),
    _value("listdir", "lists the folder", "listing", 'sorted(os.listdir(root / "TARGET"))'),
    _value("iterdir", "iterates over the folder", "listing",
           'sorted(p.name for p in (root / "TARGET").iterdir())'),
    _value("walk", "walks through the folder", "listing",
           'sorted(name for _, _, names in os.walk(root / "TARGET") for name in names)'),
    _value("rglob", "globs with rglob", "listing",
           'sorted(p.name for p in (root / "TARGET").rglob("*.csv"))'),
    _value("scandir", "scans the folder", "listing",
           'sorted((e.name, e.is_dir(), e.stat().st_size) for e in os.scandir(root / "TARGET"))'),
    _value("iglob", "globs with iglob, deeply", "listing",
           'sorted(map(os.path.basename, glob.iglob(f"{root}/TARGET/**/*.csv", recursive=True)))',
           "import glob"),
    _lines("shell globs", "globs in a shell", "listing",
           'said = !ls {root}/TARGET/*.csv 2>/dev/null\n'
           'values["KEY"] = sorted(map(os.path.basename, said))'),
    _value("fwalk", "walks through the folder by numbers", "listing",
           'sorted(name for _, _, names, _ in os.fwalk(root / "TARGET") for name in names)'),
    _value("glob by number", "globs by the folder's number", "listing",
           'sorted(glob.glob("*.csv", dir_fd=os.open(root / "TARGET", 0)))', "import glob"),
    _lines("shell lists", "lists the folder in a shell", "listing",
           'said = !ls {root}/TARGET\nvalues["KEY"] = list(said)'),
    _value("all read", "reads all that it globs", "listing",
           'sorted(p.read_text() for p in (root / "TARGET").glob("*.csv"))'),
)  # fmt: skip

if sys.version_info >= (3, 12):
    _LISTING += (
        _value("Path.walk", "walks through the folder by its path", "listing",
               'sorted(name for _, _, names in (root / "TARGET").walk() for name in names)'),
        _value("any case", "globs in any case", "listing",
               'sorted(p.name for p in (root / "TARGET").glob("*.CSV", case_sensitive=False))'),
    )  # fmt: skip

_RESOURCE = (
    _value("files", "reads it with importlib.resources", "resource",
           'importlib.resources.files("TARGET").joinpath("note.txt").read_text()'),
    _value("get_data", "reads it with pkgutil", "resource",
           'pkgutil.get_data("TARGET", "note.txt").decode()'),
    _value("__file__", "reads it beside the package's file", "resource",
           'Path(TARGET.__file__).with_name("note.txt").read_text()', "import TARGET"),
)  # fmt: skip

_VARIABLE = (
    _value("environ", "reads it", "variable", 'os.environ.get("TARGET", "none")'),
    _value("getenv", "reads it with os.getenv", "variable", 'os.getenv("TARGET")'),
    _value("in environ", "asks whether it is set", "variable", '"TARGET" in os.environ'),
    _value("expandvars", "expands a text with it", "variable", 'os.path.expandvars("$TARGET")'),
    _value("filtered", "looks for it among all", "variable",
           '[v for n, v in os.environ.items() if n == "TARGET"]'),
    _value("template", "puts it in a text", "variable",
           'string.Template("$TARGET").safe_substitute(os.environ)', "import string"),
    _value("copied", "reads it from a copy of all", "variable",
           'dict(os.environ).get("TARGET", "none")'),
    _value("environb", "reads its bytes", "variable", 'str(os.environb.get(b"TARGET", b"none"))'),
    _lines("shell variable", "has a shell print it", "variable",
           'said = !echo ${TARGET:-none}\nvalues["KEY"] = list(said)'),
    _pool("worker asks", "reads it in a worker", "variable", 'os.getenv, ("TARGET",)'),
)  # fmt: skip

_PACKAGE = (
    _value("package", "imports it", "package", "found.V", "import TARGET as found"),
    _value("package module", "calls importlib.import_module", "package",
           'importlib.import_module("TARGET").V'),
    _value("package late", "imports it in a function", "package", "late()",
           "def late():\n    from TARGET import V\n    return V"),
    _lines("package tried", "imports it if it is there", "package",
           'try:\n    import TARGET as found\n    values["KEY"] = found.V\n'
           'except ImportError:\n    values["KEY"] = "none"'),
    _value("package and shell", "imports it in a cell that also has a line with !", "package",
           "TARGET.V", "files = !echo shell\nimport TARGET"),
    _lines("version", "imports it and asks for its version", "package",
           "import TARGET\nfrom importlib.metadata import PackageNotFoundError, version\n"
           'try:\n    values["KEY"] = version("TARGET")\n'
           'except PackageNotFoundError:\n    values["KEY"] = TARGET.V'),
    _lines("version alone", "asks for its version and no more", "package",
           "from importlib.metadata import PackageNotFoundError, version\n"
           'try:\n    values["KEY"] = version("TARGET")\n'
           'except PackageNotFoundError:\n    values["KEY"] = "none"'),
    _value("through", "calls a package that imports it", "package", "fakeone.another('TARGET')",
           "import fakeone"),
    _pool("package worker", "imports it in a worker", "package",
          'pkgutil.resolve_name, ("TARGET:V",)'),
    _child("package child", "imports it in a process that it starts", "package",
           '[sys.executable, "-c", "import TARGET; print(TARGET.V)"]'),
)  # fmt: skip

_REST = (
    _value("constant", "holds it", "code", '"TARGET"'),
    _value("parameter", "shows it", "parameter", "json.dumps(TARGET)"),
    _value("started", "reads what the start-up file sets", "start-up",
           'globals().get("STARTED", "none")'),
    _value("called", "calls a package that reads it", "variable", "fakeone.setting('TARGET')",
           "import fakeone"),
    _value("instance", "shows its own value", "instance", "x"),
    _value("names", "shows the folders of its list of inputs", "input names",
           "[Path(path).parent.name for path in many]"),
    _value("never called", "imports in a function that nobody calls", "nothing", "1",
           "def later():\n    import alpha, beta, json.tool"),
    _value("writefile", "writes a module and imports it", "nothing", "written.V",
           'Path("written.py").write_text("V = 1")\nsys.path.insert(1, os.getcwd())\n'
           "import written"),
)  # fmt: skip

WAYS = MappingProxyType({
    way.name: way
    for group in (_MODULE, _SCRIPT, _DATA, _EXISTENCE, _LISTING, _RESOURCE, _VARIABLE, _PACKAGE,
                  _REST)
    for way in group
})  # fmt: skip
"""All ways by name."""


def ways_of(*kinds: Kind) -> tuple[Way, ...]:
    """The ways of some kinds; the slow ones are one in six."""
    found = [way for way in WAYS.values() if way.kind in kinds]
    return tuple(way for way in found for _ in range(1 if way.slow else 5))
