"""Run mlkit as another user of the machine: modes of files protect nothing from root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

__all__ = ["ANN", "BEN", "GROUP", "call_as", "mlkit_as", "needs_other_users", "place_for_everybody"]

ANN, BEN, GROUP = 61001, 61002, 61003
"""Two users of one group, of whom the machine has never heard."""

# The interpreter may stand below a home that only its owner may enter: in a mount namespace of its
# own that home is an empty folder, with the interpreter's bound into it.
_BIND = """
set -e
mount --make-rprivate /
aside=$(mktemp -d)
mount --bind "$2" "$aside"
mount -t tmpfs -o mode=755 none "$1"
mkdir -p "$2"
mount --move "$aside" "$2"
umask "$3"
shift 3
exec "$@"
"""


def needs_other_users() -> None:
    """Skip a test where this process cannot become another user, and say why."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user of the machine needs root")
    missing = [name for name in ("setpriv", "unshare") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"becoming another user needs {' and '.join(missing)} (Debian: util-linux)")
    if _closed_folder() is not None and not _may_unshare():
        pytest.skip(f"others may not enter {_closed_folder()}, where this Python stands")


@contextlib.contextmanager
def place_for_everybody() -> Iterator[Path]:
    """Make a folder that everybody may enter; pytest shuts those that it gives, again and again."""
    needs_other_users()
    with tempfile.TemporaryDirectory(prefix="mlkit-open-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def mlkit_as(
    user: int, *arguments: str, cwd: Path, umask: int = 0o002
) -> subprocess.CompletedProcess[str]:
    """Call the command as another user of `GROUP`, with a home of its own."""
    command, env = call_as(user, "mlkit", *arguments, umask=umask)
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


def call_as(
    user: int, module: str, *arguments: str, umask: int = 0o002
) -> tuple[list[str], dict[str, str]]:
    """How a module is run as another user of `GROUP`: the command, and its environment."""
    home = Path(f"/tmp/mlkit-home-{user}")
    home.mkdir(exist_ok=True)
    os.chown(home, user, GROUP)
    identity = (f"--reuid={user}", f"--regid={GROUP}", "--clear-groups")
    call = ("setpriv", *identity, sys.executable, "-m", module, *arguments)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLKIT_", "XDG_", "TMP"))}
    return [*_entrance(umask), *call], {**kept, "HOME": str(home), "MLKIT_NO_WARM": "1"}


def _entrance(umask: int) -> Sequence[str]:
    closed = _closed_folder()
    if closed is None:
        return ("sh", "-c", 'umask "$1"; shift; exec "$@"', "sh", f"{umask:03o}")
    inside = Path(sys.base_prefix)
    return ("unshare", "--mount", "sh", "-c", _BIND, "sh", str(closed), str(inside), f"{umask:03o}")


@cache
def _closed_folder() -> Path | None:
    """The highest folder above the interpreter that others may not enter; None if they may."""
    above = [*reversed(Path(sys.base_prefix).parents), Path(sys.base_prefix)]
    return next((folder for folder in above if not folder.stat().st_mode & 0o001), None)


@cache
def _may_unshare() -> bool:
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
