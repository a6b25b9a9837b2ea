"""A folder that nobody else can look into."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from mlkit.errors import UsageError

__all__ = ["own_folder"]


def own_folder(
    path: Path, what: str = "kernels cannot be kept", variable: str = "JUPYTER_RUNTIME_DIR"
) -> Path:
    """Make a folder that nobody else can look into, or see that it is one.

    Parameters
    ----------
    path : Path
        The folder.
    what : str
        What is not to be had without it.
    variable : str
        By which environment variable another one can be named.

    Raises
    ------
    UsageError
        If it belongs to somebody else, or others may read it.
    """
    with contextlib.suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.mkdir(mode=0o700)
    found = path.lstat()
    wrong = ""
    if not stat.S_ISDIR(found.st_mode):
        wrong = "is no folder"
    elif found.st_uid != os.geteuid():
        wrong = "belongs to somebody else"
    elif found.st_mode & 0o077:
        wrong = f"is open to others (mode {stat.S_IMODE(found.st_mode):04o})"
    if wrong:
        raise UsageError(
            f"{what}: the folder for them {wrong}",
            path,
            remedy=f"Remove it, or name another by {variable}",
        )
    return path
