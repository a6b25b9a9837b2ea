"""What recording changes in an interpreter: what it tells by itself, and what is wrapped.

Four sources tell of everything that Python code reads; none of them can be taken back:

* audit events (PEP 578) tell of files opened, folders listed, variables set and processes started;
* the first finder on `sys.meta_path` is asked for every module that is not loaded yet, by whatever
  way it is imported or looked for, and for packages' metadata; it knows none;
* `os.stat`, `os.lstat`, `os.access` and `os.readlink` have no events and are wrapped: they answer
  whether something exists, what kind it is, and where a link leads; so is `os.open`, whose event
  does not tell in which open folder a path begins;
* reads of `os.environ` have none either, and go through methods of its class.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from typing import Any, Protocol

# By their distance: in another environment's Python this package has another name.
from .counting_places import OWN, installation

__all__ = ["import_project_modules_from_source", "watch"]


class Listener(Protocol):
    """Takes in what happens; `mlkit.inside.recorder` has the only one."""

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Take in an audit event."""

    def looked_for(self, name: str) -> None:
        """Take in that a module is looked for that is not loaded yet."""

    def asked(
        self,
        path: Any,
        found: os.stat_result | None,
        *,
        follows: bool = True,
        may: tuple[int, bool] | None = None,
    ) -> None:
        """Take in that somebody asked whether something exists, of what kind it is, and more."""

    def link_read(self, path: Any, target: Any) -> None:
        """Take in that somebody asked where a link leads."""

    def read_variable(self, name: Any) -> None:
        """Take in that a variable of the environment was read; None stands for all of them."""

    def walk(self, names: Iterator[Any]) -> Iterator[Any]:
        """Pass on the names of all variables."""

    def distributions_asked(self, name: str | None) -> None:
        """Take in that code asks for a package's metadata, or for that of all packages."""

    def path_at(self, path: Any, folder: Any) -> Any:
        """A path that the notebook's code tells by the number of an open folder; else None."""

    def forked(self) -> None:
        """Take in that this process is a child's from here on."""


class ImportWatch:
    """A finder of modules that finds none and tells which ones are looked for."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Take the name in, and leave the search to the other finders."""
        self._listener.looked_for(name)

    def find_distributions(self, context: Any = None) -> tuple[()]:
        """Take in that metadata of packages are asked for, and leave the search to others, too."""
        self._listener.distributions_asked(getattr(context, "name", None))
        return ()


def watch(listener: Listener) -> None:
    """Have the interpreter tell, and wrap what it does not tell of."""
    stat, lstat, access, readlink, open_file = os.stat, os.lstat, os.access, os.readlink, os.open

    def asked_stat(path: Any, *, dir_fd: Any = None, follow_symlinks: bool = True) -> Any:
        try:
            found = stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        except OSError:
            listener.asked(listener.path_at(path, dir_fd), None, follows=follow_symlinks)
            raise
        listener.asked(listener.path_at(path, dir_fd), found, follows=follow_symlinks)
        return found

    def asked_lstat(path: Any, *, dir_fd: Any = None) -> Any:
        try:
            found = lstat(path, dir_fd=dir_fd)
        except OSError:
            listener.asked(listener.path_at(path, dir_fd), None, follows=False)
            raise
        listener.asked(listener.path_at(path, dir_fd), found, follows=False)
        return found

    def asked_access(path: Any, mode: int, **how: Any) -> bool:
        answer: bool = access(path, mode, **how)
        try:
            found = stat(path, dir_fd=how.get("dir_fd"))
        except (OSError, ValueError):
            found = None
        listener.asked(listener.path_at(path, how.get("dir_fd")), found, may=(mode, answer))
        return answer

    def asked_readlink(path: Any, *, dir_fd: Any = None) -> Any:
        target = readlink(path, dir_fd=dir_fd)
        listener.link_read(listener.path_at(path, dir_fd), target)
        return target

    def asked_open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
        if dir_fd is not None:  # the event that tells of all others has no place for it
            listener.hear("open", (listener.path_at(path, dir_fd), None, flags))
        return open_file(path, flags, mode, dir_fd=dir_fd)

    os.register_at_fork(after_in_child=listener.forked)
    for wrapped in (asked_stat, asked_lstat, asked_access, asked_readlink, asked_open):
        _replace_in_os(wrapped.__name__.removeprefix("asked_"), wrapped)
    _watch_environment(listener)
    sys.meta_path.insert(0, ImportWatch(listener))
    sys.addaudithook(listener.hear)


def _replace_in_os(name: str, function: Any) -> None:
    """Put a function in the place of one of `os`, also where `os` says what that can do."""
    original = getattr(os, name)
    for attribute in ("__name__", "__qualname__", "__doc__"):
        setattr(function, attribute, getattr(original, attribute))
    function.__module__ = "os"  # where it is to be found, by pickle for one
    for what in (
        "supports_dir_fd",
        "supports_fd",
        "supports_follow_symlinks",
        "supports_effective_ids",
    ):
        able: set[Any] = getattr(os, what, set())
        if original in able:
            able.add(function)
    setattr(os, name, function)


def _watch_environment(listener: Listener) -> None:
    environ: Any = type(os.environ)
    get, walk, count = environ.__getitem__, environ.__iter__, environ.__len__

    def getitem(self: Any, key: Any) -> Any:
        listener.read_variable(key)
        return get(self, key)

    def iterate(self: Any) -> Iterator[Any]:
        listener.read_variable(None)
        return listener.walk(walk(self))

    def length(self: Any) -> int:
        listener.read_variable(None)
        found: int = count(self)
        return found

    environ.__getitem__, environ.__iter__, environ.__len__ = getitem, iterate, length


def import_project_modules_from_source() -> None:
    """Neither take nor leave compiled copies of project modules.

    Python takes a compiled copy for valid if the second of the last change and the size agree, so
    that a module edited twice within a second would run as it was before; and a run writes nothing
    beside the sources.
    """
    loader: Any = SourceFileLoader
    spared = (*installation(), OWN)
    read, write = loader.get_data, loader.set_data

    def is_project(path: str) -> bool:
        return not path.startswith(spared) and "/site-packages/" not in path.replace(os.sep, "/")

    def get_data(self: Any, path: str) -> bytes:
        if path.endswith(".pyc") and is_project(path):
            raise FileNotFoundError(path)
        data: bytes = read(self, path)
        return data

    def set_data(self: Any, path: str, data: bytes, **options: Any) -> None:
        if not is_project(path):
            write(self, path, data, **options)

    loader.get_data, loader.set_data = get_data, set_data
