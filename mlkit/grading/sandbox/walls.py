"""The sandbox: what a submission's kernel can see and do, as a bubblewrap command line.

Inside there is a read-only system, this interpreter, and mlkit's own package; a private home and
temporary folder in memory; no network, no other process, no environment of the grader's. Started
by root, bubblewrap needs no user namespace (a Python below a closed home folder stays reachable),
and `setpriv` changes to a user of the worker's own, to whom alone the limit on processes applies.
Started by anybody else it makes a user namespace.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, field
from pathlib import Path, PurePosixPath
from typing import Literal

from mlkit.frozen import dataclass
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.seccomp import filter_program

__all__ = [
    "HOME",
    "PRIVATE",
    "SOCKETS",
    "Handed",
    "Isolation",
    "Surroundings",
    "as_file",
    "command",
    "environment",
    "inmate_line",
    "trial_command",
    "uid",
]

Isolation = Literal["sandboxed", "limited"]

HOME = "/home/learner"
SOCKETS = "/run/kernel"
PRIVATE = ("/dev/shm", "/tmp", HOME)
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/localtime",
    "/etc/alternatives",
    "/etc/fonts",
)
FIRST_UID = 1_000_000_000
INMATE = Path(__file__).with_name("inmate.py")
TEMPLATE = Path(__file__).parents[1] / "authoring" / "template"
"""A solution that stands in the package: an exercise that was begun from it may still hold it."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a sandbox is started with.

    Parameters
    ----------
    limits : Limits
        What may be used.
    secret : tuple of Path
        Folders that must not be seen.
    data : Mapping
        Files that the code may read, by their names from its working folder.
    """

    limits: Limits
    secret: tuple[Path, ...] = ()
    data: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Handed:
    """File descriptors that bubblewrap is handed.

    Parameters
    ----------
    connection, users, calls : int
        Where it reads the kernel's connection file, the sandbox's list of users, and the filter on
        system calls.
    told : int
        Where it says the id of the sandbox's first process.
    begin : int
        What it waits for before the first process goes on: a byte, or the end.
    """

    connection: int
    users: int
    calls: int
    told: int
    begin: int


def trial_command(calls: int) -> list[str]:
    """The command that starts a Python in a sandbox, and ends it at once."""
    walls = [*_walls(Surroundings(limits=Limits())), *_filtered(calls), *_user()]
    return [*walls, sys.executable, "-I", "-S", "-c", "pass"]


def environment() -> dict[str, str]:
    """The whole environment of a submission's kernel: nothing of the grader's own."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "HOME": HOME,
        "USER": "learner",
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",
        "MPLBACKEND": "agg",
        "PYTHONHASHSEED": "0",
        "LOKY_MAX_CPU_COUNT": "2",
        **threads,
    }


def command(around: Surroundings, handed: Handed) -> list[str]:
    """The command that starts a kernel in a sandbox."""
    data = ["--perms", "0444", "--ro-bind-data", str(handed.connection), f"{SOCKETS}.json"]
    users = ["--perms", "0444", "--ro-bind-data", str(handed.users), "/etc/passwd"]
    told = ["--info-fd", str(handed.told), "--block-fd", str(handed.begin)]
    limits = json.dumps(asdict(around.limits))
    inmate = inmate_line(f"{SOCKETS}.json", limits)
    return [*_walls(around), *data, *users, *_filtered(handed.calls), *told, *_user(), *inmate]


def inmate_line(connection: str, limits: str) -> list[str]:
    """The command that becomes a kernel, in a sandbox or without one.

    Not `-I`: that would leave the whole environment unheeded, PYTHONHASHSEED with it, and a
    submission's sets would come in another order each time it is graded. The environment is
    `environment()`, which names no code; the script's folder and the user's packages stay out.
    """
    return [sys.executable, "-P", "-s", str(INMATE), connection, limits]


def as_file(content: bytes) -> int:
    """A file descriptor from which bytes can be read, with no file on the disk."""
    descriptor = os.memfd_create("mlkit")
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def uid() -> int:
    """The user inside the sandbox: one of this worker's own if we are root, else ourselves."""
    return FIRST_UID + os.getpid() if os.geteuid() == 0 else os.geteuid()


def _walls(around: Surroundings) -> list[str]:
    """Bubblewrap's own options: namespaces and what is mounted."""
    walls = [
        shutil.which("bwrap") or "bwrap",
        "--die-with-parent",
        "--new-session",
        "--hostname",
        "sandbox",
    ]
    walls += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    walls += ["--unshare-cgroup-try"]
    if os.geteuid() == 0:
        walls += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        walls += (
            ["--unshare-user", "--disable-userns"] if _can_disable_userns() else ["--unshare-user"]
        )
    folders = list(_interpreter())
    for parent in _parents((*folders, *map(Path, SETTINGS), Path(SOCKETS), Path(HOME))):
        walls += ["--perms", "0755", "--dir", str(parent)]
    for path in SYSTEM:
        walls += _system_folder(Path(path))
    for path in SETTINGS:
        walls += ["--ro-bind-try", path, path]
    walls += ["--proc", "/proc", "--dev", "/dev"]
    for path in PRIVATE:
        walls += ["--perms", "1777", "--size", str(around.limits.disk_bytes), "--tmpfs", path]
    # It is in memory, of no stated size, and belongs to the user who has started the sandbox.
    walls += ["--remount-ro", "/dev"]
    walls += ["--perms", "1777", "--size", "1048576", "--tmpfs", SOCKETS]
    for parent in _parents(folders):
        if any(path in map(str, parent.parents) for path in PRIVATE):
            walls += ["--perms", "0755", "--dir", str(parent)]
    for folder in folders:
        walls += ["--ro-bind", str(folder), str(folder)]
    for secret in (*around.secret, TEMPLATE):
        if any(secret.is_relative_to(folder) for folder in (*folders, Path("/usr"))):
            walls += ["--tmpfs", str(secret)]
    return walls + _data(around.data)


def _data(files: Mapping[str, Path]) -> list[str]:
    """Mount an exercise's data: each file alone, so that an answer can write beside it."""
    names = list(map(PurePosixPath, files))
    folders = {parent for name in names for parent in name.parents if parent != PurePosixPath()}
    walls: list[str] = []
    for folder in sorted(folders):
        walls += ["--perms", "0777", "--dir", f"{HOME}/{folder}"]
    for name, path in files.items():
        walls += ["--ro-bind", str(path), f"{HOME}/{name}"]
    return walls


def _filtered(calls: int) -> list[str]:
    """The filter on system calls, where this machine's numbers are known."""
    return ["--seccomp", str(calls)] if filter_program() else []


@functools.cache
def _can_disable_userns() -> bool:
    usage = subprocess.run(
        [shutil.which("bwrap") or "bwrap", "--help"],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return "--disable-userns" in usage.stdout


def _system_folder(path: Path) -> list[str]:
    """Mount a system folder; where it is a link into /usr, make the same link."""
    if path.is_symlink():
        return ["--symlink", os.readlink(path), str(path)]  # noqa: PTH115 - the raw text
    return ["--ro-bind-try", str(path), str(path)]


def _interpreter() -> Iterator[Path]:
    """The folders that this interpreter and mlkit's package need, the outermost first."""
    roots = {Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2]}
    roots |= {root.resolve() for root in roots}
    for root in sorted(roots):
        if not any(
            root != other and root.is_relative_to(other) for other in {*roots, Path("/usr")}
        ):
            yield root


def _parents(paths: Iterable[Path]) -> list[Path]:
    """Every folder above some paths, outermost first: bubblewrap would close them to others."""
    above = {parent for path in paths for parent in path.parents if parent != Path("/")}
    return sorted(above)


def _user() -> list[str]:
    """Close the root; then change the user, if we are root. bubblewrap forbids new privileges."""
    closed = ["--remount-ro", "/", "--chdir", HOME, "--"]
    if os.geteuid() != 0:
        return closed
    return [
        *closed,
        "setpriv",
        f"--reuid={uid()}",
        f"--regid={uid()}",
        "--clear-groups",
        "--inh-caps=-all",
    ]
