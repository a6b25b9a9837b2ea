"""Which files imports ask for: a library's configuration, a cache, whether something is there.

A fresh interpreter would ask for them anew. So a zygote that outlives its run notes what it found,
and lets nobody in once that is different. Files of modules are not meant: `identity` and `door`
look after those.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["AskedFiles", "Mark", "mark_of"]

Mark = tuple[int, ...] | None
"""What changes with a file; of a folder, which one it is, or with `listed` also what it holds."""

MODULES = (".py", ".pyc", ".so", ".pth")
NEVER = ("/proc/", "/sys/", "/dev/")
MAKING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {
    **dict.fromkeys(("os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.utime"), (0,)),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), (0, 1)),
}
"""Events by which a process changes files itself, and which of their arguments are the paths."""
LISTS = ("os.listdir", "os.scandir")

_stat = os.stat
_IS_FOLDER = 0o040000
_KIND = 0o170000


def mark_of(path: str, *, listed: bool = False) -> Mark:
    """Give what changes with a file, also where its times were set back; None if it is absent."""
    try:
        found = _stat(path)
    except (OSError, ValueError):
        return None
    if found.st_mode & _KIND == _IS_FOLDER and not listed:
        return found.st_dev, found.st_ino
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


class AskedFiles:
    """Notes what is asked for while it is `watching`.

    It sees what Python opens and lists, and what `os` is asked about. What compiled code reads by
    itself it does not see.
    """

    def __init__(self) -> None:
        self._marks: dict[tuple[str, bool], Mark] = {}
        self._own: set[str] = set()
        self._is_watching = False
        sys.addaudithook(self._hear)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note what is asked for meanwhile."""
        plain = {name: getattr(os, name) for name in ("stat", "lstat", "access")}
        self._is_watching = True
        for name, function in plain.items():
            _put(name, self._noting(function))
        try:
            yield
        finally:
            self._is_watching = False
            for name, function in plain.items():
                setattr(os, name, function)

    def changed(self) -> list[str]:
        """What a fresh interpreter would find otherwise; what the imports made does not count."""
        return sorted(
            path
            for (path, listed), mark in self._marks.items()
            if path not in self._own and mark_of(path, listed=listed) != mark
        )

    def _noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def asked(path: Any, *args: Any, **how: Any) -> Any:
            if self._is_watching and how.get("dir_fd") is None:
                self._note(path)
            return function(path, *args, **how)

        return asked

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_watching:
            return
        if event == "open":
            path, mode, flags = arguments
            makes = isinstance(flags, int) and flags & MAKING
            if makes or (isinstance(mode, str) and set(mode) & set("wax+")):
                self._note_own(path)
            else:
                self._note(path)
        elif event in LISTS:
            path = "." if arguments[0] is None else arguments[0]
            self._note(path, listed=True)
        elif event in CHANGES:
            for place in CHANGES[event]:
                self._note_own(arguments[place])

    def _note(self, path: Any, *, listed: bool = False) -> None:
        text = _whole(path)
        if text is None or text.endswith(MODULES) or f"{text}/".startswith(NEVER):
            return
        if listed and f"{text}/".startswith(tuple(f"{entry}/" for entry in sys.path)):
            return  # a search for modules; `identity` knows what there is
        if (text, listed) not in self._marks:
            self._marks[text, listed] = mark_of(text, listed=listed)

    def _note_own(self, path: Any) -> None:
        text = _whole(path)
        if text is not None:
            self._own |= {text, os.path.dirname(text)}  # noqa: PTH120 - pathlib is not imported here


def _whole(path: Any) -> str | None:
    """An absolute path; None for what is a file's number."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    return os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - see above


def _put(name: str, function: Any) -> None:
    """Put a function in the place of one of `os`, also where `os` says what that can do."""
    plain = getattr(os, name)
    for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if plain in able:
            able.add(function)
    if plain in os.supports_effective_ids:
        os.supports_effective_ids.add(function)
    function.__name__ = function.__qualname__ = name
    function.__module__ = "os"
    setattr(os, name, function)
