"""What Git leaves in the place of a file, so that it cannot be read."""

from __future__ import annotations

import re

__all__ = ["remedy_for_what_git_left"]

_MARK = re.compile("^<{7} ", re.MULTILINE)
_POINTER = "version https://git-lfs.github.com/spec/"


def remedy_for_what_git_left(text: str) -> str | None:
    """Say what to do with a merge that has stopped half-way, or with a file that stayed behind.

    Parameters
    ----------
    text : str
        The file's text, which is not of its format.

    Returns
    -------
    str or None
        The remedy; None if Git has nothing to do with it.
    """
    if text.startswith(_POINTER):
        return "Git LFS keeps the file elsewhere: fetch it with 'git lfs pull'"
    mark = _MARK.search(text)
    if mark is None:
        return None
    line = text.count("\n", 0, mark.start()) + 1
    return f"Git has left both sides of a merge there, from line {line} on: keep one of them"
