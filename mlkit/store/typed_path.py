"""Paths as people type them."""

from __future__ import annotations

import os
from pathlib import Path

from mlkit.errors import UsageError

__all__ = ["typed_path"]


def typed_path(text: Path | str) -> Path:
    """Give the path that somebody typed: `~` is the home folder, `~NAME` that of a user.

    Where there is no such user, or no home, it is a name like any other; `Path.expanduser` would
    fail as if something were broken.

    Parameters
    ----------
    text : Path or str
        What was typed.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if not isinstance(text, str | os.PathLike):  # a caller in Python may give anything
        raise UsageError(
            f"{text!r} is no path", remedy="Give a text or a pathlib.Path", code="E102"
        )
    return Path(os.path.expanduser(text))  # noqa: PTH111 - see above
