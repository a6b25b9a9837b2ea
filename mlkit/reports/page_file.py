"""Write a page or a picture to where somebody asked for it."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from mlkit.errors import RunsFolderError, WrongPlaceError

__all__ = ["write_text"]

_NO_FILE = frozenset({errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG})
"""What stands there is of the other kind, or nothing can have that name."""


def write_text(content: str, to: Path) -> Path:
    """Write a text file, whole or not at all.

    Parameters
    ----------
    content : str
        The text; written as UTF-8.
    to : Path
        The file; its folder is made if it is missing, an older file is replaced.

    Raises
    ------
    RunsFolderError
        If it cannot be written.
    """
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
    except OSError as error:
        raise _refused(to, error) from error
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode("utf-8", "replace"))
        aside.chmod(0o644)
        aside.replace(to)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise _refused(to, error) from error
    return to


def _refused(to: Path, error: OSError) -> RunsFolderError:
    kind = WrongPlaceError if error.errno in _NO_FILE else RunsFolderError
    return kind(
        f"the file cannot be written: {error.strerror or error}",
        file=to,
        remedy="Name another file with --out.",
    )
