"""What two processes have to have in common, so that one may fork the other's kernels.

A kernel that is forked from a zygote of an earlier run has the rights, the limits, the place and
the interpreter of that zygote, and finds imported what was installed when it began. So both sides
compute the same value: an *identity*, nothing but texts by their names. `differences` compares two.

Both sides run this file: the zygote outside mlkit, and the driver. It needs the standard library.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.machinery
import json
import os
import re
import signal
import site
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = [
    "Identity",
    "differences",
    "digest",
    "install_facts",
    "names_at_start",
    "process_facts",
    "search_path",
]

Identity = Mapping[str, str]
"""Texts by their names; `of` makes one out of its three parts."""

STATUS = (
    *("Uid", "Gid", "Groups", "Umask", "SigBlk", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"),
    *("NoNewPrivs", "Seccomp", "Seccomp_filters", "Cpus_allowed_list", "Mems_allowed_list"),
    "THP_enabled",
)
"""Lines of `/proc/PID/status` that a kernel inherits."""

FILES = ("limits", "cgroup", "oom_score_adj", "loginuid", "sessionid", "attr/current")
"""Further files there: limits, the job's place, the login's session, the confinement."""

NICE, POLICY = 16, 38
"""Places in `/proc/PID/stat`, after the command's name."""

# Python itself ignores the first two, and gives them back to what it starts. The others are the C
# library's: it ignores them in what `posix_spawn` starts, which `subprocess` calls in Python 3.13.
OWN_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, *range(32, signal.SIGRTMIN))
NOT_COMPARED = sum(1 << (number - 1) for number in OWN_SIGNALS)

RECORDS = (".dist-info", ".egg-info")
HOOKS = (".pth", ".egg-link")
ZONE = "/etc/localtime"
AT_START = ("sitecustomize.py", "usercustomize.py")
NAME = re.compile(r"\b[A-Z][A-Z0-9_]{2,}\b")


def process_facts(pid: int | str = "self") -> dict[str, str]:
    """Tell what kernels inherit from a process: rights, limits, its place on the machine.

    Parameters
    ----------
    pid : int or "self"
        The process. What may not be read of another one is an empty text, and so is different.
    """
    place = f"/proc/{pid}"
    lines = dict(
        line.partition(":")[::2] for line in _text(f"{place}/status").splitlines() if ":" in line
    )
    facts = {f"process.{name}": lines.get(name, "").strip() for name in STATUS}
    ignored = int(lines.get("SigIgn", "0").strip() or "0", 16) & ~NOT_COMPARED
    facts["process.SigIgn"] = f"{ignored:x}"
    facts |= {f"process.{name}": _text(f"{place}/{name}").strip("\0 \n") for name in FILES}
    fields = _text(f"{place}/stat").rpartition(")")[2].split()
    facts["process.nice"] = " ".join([fields[NICE], fields[POLICY]]) if fields else ""
    for name in _names(f"{place}/ns"):
        facts[f"process.ns.{name}"] = _link(f"{place}/ns/{name}")
    facts["process.root"] = _link(f"{place}/root")
    return facts


def install_facts(python_path: str, path: Iterable[str] | None = None) -> dict[str, str]:
    """Tell which interpreter this is, where it finds modules, and the marks of what is installed.

    Parameters
    ----------
    python_path : str
        `PYTHONPATH` of the kernels.
    path : iterable of str, optional
        The `sys.path` of a fresh interpreter; by default what it has to be. A driver's own, which
        its kernels do not inherit, does not count.
    """
    found = search_path(python_path)
    searched = dict.fromkeys(found if path is None else path)
    facts = {
        "interpreter.executable": sys.executable,
        "interpreter.file": _mark(os.path.realpath(sys.executable)),
        "interpreter.version": sys.version,
        "interpreter.prefix": f"{sys.prefix} {sys.base_prefix}",
        "interpreter.venv": _mark(f"{sys.prefix}/pyvenv.cfg"),
        "interpreter.code": _marks_of_files(Path(__file__).parent.glob("*.py")),
        "time_zone": f"{os.path.realpath(ZONE)} {_mark(ZONE)}",
        "path": json.dumps([entry for entry in searched if entry in found]),
    }
    return facts | {f"installed.{entry}": _marks(entry) for entry in found}


def search_path(python_path: str) -> dict[str, None]:
    """The folders that a fresh interpreter looks for modules in, besides its standard library."""
    found: dict[str, None] = {}
    for entry in python_path.split(os.pathsep) if python_path else ():
        found[os.path.abspath(entry)] = None  # noqa: PTH100 - as site does it
    found[sysconfig.get_path("stdlib")] = None
    # In a virtual environment the compiled part is that of the installation below it, too.
    compiled = sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix})
    found |= dict.fromkeys((compiled, f"{compiled}/lib-dynload"))
    for folder in _site_folders():
        found[folder] = None
        for line in _lines_at_start(folder):
            entry = os.path.abspath(os.path.join(folder, line))  # noqa: PTH100, PTH118 - as site does it
            if not line.startswith(("import ", "import\t")) and os.path.exists(entry):  # noqa: PTH110 - see above
                found[entry] = None
    return found


def names_at_start(python_path: str) -> set[str]:
    """The names, in capitals, in what an interpreter runs at its start: `.pth`, `sitecustomize`.

    Which of the environment's variables that code reads cannot be seen afterwards.
    """
    text = [
        line
        for folder in _site_folders()
        for line in _lines_at_start(folder)
        if line.startswith(("import ", "import\t"))
    ]
    text += [_text(f"{entry}/{name}") for entry in search_path(python_path) for name in AT_START]
    return set(NAME.findall("\n".join(text)))


def differences(one: Identity, other: Identity) -> list[str]:
    """The names, sorted, under which two identities differ; none if a kernel may be shared."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def digest(identity: Identity) -> str:
    """Give a short name for an identity; what has the same name is compared all the same."""
    return hashlib.sha256(json.dumps(sorted(identity.items())).encode()).hexdigest()[:10]


def _site_folders() -> list[str]:
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders = [site.getusersitepackages(), *folders]
    return [folder for folder in folders if os.path.isdir(folder)]  # noqa: PTH112 - pathlib is slower


def _lines_at_start(folder: str) -> Iterable[str]:
    """The lines of the `.pth` files in a folder, in the order in which `site` reads them."""
    for name in sorted(each for each in _names(folder) if each.endswith(".pth")):
        for line in _text(f"{folder}/{name}").splitlines():
            if line.strip() and not line.startswith("#"):
                yield line.rstrip()


def _marks(folder: str) -> str:
    """A digest of the names in a folder that an import may find, and of what tells of packages.

    Packages are told of by their `dist-info`: the folder and the versions in it.
    """
    parts = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.endswith(RECORDS):
                parts.append(f"{name} {_mark(entry.path)} {_mark(f'{entry.path}/METADATA')}")
            elif name.endswith(HOOKS):
                parts.append(f"{name} {_mark(entry.path)}")
            elif name[0] != "." and name != "__pycache__" and _may_be_imported(name):
                parts.append(name)
    return hashlib.sha256("\n".join(sorted(parts)).encode(errors="surrogateescape")).hexdigest()


def _may_be_imported(name: str) -> bool:
    return "." not in name or name.endswith(tuple(importlib.machinery.all_suffixes()))


def _marks_of_files(paths: Iterable[Path]) -> str:
    return " ".join(f"{path.name} {_mark(str(path))}" for path in sorted(paths))


def _mark(path: str) -> str:
    """What changes with a file, also where its times were set back."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a thousand times, and pathlib is slower
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - see above
    except OSError:
        return ""


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - see above
    except OSError:
        return []
