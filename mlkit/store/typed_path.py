"""Paths as people type them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["typed_path"]


def typed_path(text: Path | str) -> Path:
    """Give the path that somebody typed: `~` is the home folder, `~NAME` that of a user.

    Where there is no such user, or no home, it is a name like any other; `Path.expanduser` would
    fail as if something were broken.

    Parameters
    ----------
    text : Path or str
        What was typed.
    """
    return Path(os.path.expanduser(text))  # noqa: PTH111 - see above
