"""Where something stands, and whether what is read there may count.

What counts is told by folders: those of a stage's project, by whatever way their files are read;
never the runs folder, what the stage makes itself, hidden names, and the installation, of which the
versions count. What stands elsewhere counts by who asks for it.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable
from typing import Any

__all__ = ["ELSEWHERE", "OWN", "Places", "installation", "is_hidden", "kind_of_mode"]

TEMPORARY = ("/tmp/", "/var/tmp/")
ELSEWHERE = ("/proc/", "/sys/", "/dev/", *TEMPORARY, "/run/", "/usr/share/zoneinfo/")
"""Where nothing counts that is no project's: temporary files, what the system says of itself."""
OWN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
"""The folder of mlkit's own code."""

OF_REPOSITORIES = (".git", ".hg", ".svn", ".ipynb_checkpoints")


class Places:
    """Tells of paths whether they may count.

    Parameters
    ----------
    roots : sequence of str
        The folders whose files count by whatever way they are read.
    never : sequence of str
        Folders and files that never count, such as the runs folder and inputs.
    installation : tuple of str
        The folders of the standard library and of installed packages.
    has_links : bool
        Whether there may be links in the stage's own folder.
    """

    def __init__(
        self,
        roots: Iterable[str],
        never: Iterable[str],
        installation: tuple[str, ...],
        *,
        has_links: bool,
    ) -> None:
        self.roots = _with_real(roots)
        self._never = _with_real(never)
        self._inst = installation
        self._has_links = has_links
        self._known: dict[str, str | None] = {}
        self._path: list[Any] = []
        self._path_folders: tuple[str, ...] = ()

    def may_have_links(self) -> None:
        """Ask from now on where links of the stage's own folder lead: programs make them, too."""
        if not self._has_links:
            self._has_links = True
            self._known.clear()

    def at(self, path: Any, *, itself: bool = False) -> str | None:
        """The absolute path of something that may count; None for what never does, or is no path.

        A link in the stage's own folder stands for what it leads to, unless it is meant itself.
        """
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        path = os.fsdecode(path)
        if itself and self._is_under(os.path.abspath(path), self._never):
            return None
        known = path.startswith(os.sep) and path in self._known
        if not known or (self._has_links and self._known[path] is None):
            self._known[path] = self._find(path)
        return self._known[path]

    def _find(self, path: str) -> str | None:
        if "\0" in path:
            return None
        place = os.path.abspath(path)
        if self._has_links and self._is_under(place, self._never):
            place = os.path.realpath(place)
        if self._is_under(place, self._inst) or self._is_under(place, self._never):
            return None
        if place.startswith(OWN):
            return place if place.startswith(os.path.join(OWN, "ml/")) else None
        for root in self.roots:
            if place.startswith(root):
                return None if is_never(place[len(root) :]) else place
            if place + os.sep == root:
                return place
        real = os.path.realpath(place)
        if real != place and (real.startswith(self._inst) or self._is_under(real, self._never)):
            return None
        return place

    def _is_under(self, place: str, folders: Iterable[str]) -> bool:
        return any(place.startswith(each) or place + os.sep == each for each in folders)

    def is_stages_own(self, place: str) -> bool:
        """Whether something stands where the stage puts what it makes, for itself or for long."""
        return self._is_under(place, self._never) or place.startswith(TEMPORARY)

    def is_project(self, place: str) -> bool:
        """Whether something counts by whatever way it is read."""
        if place.startswith((*self.roots, OWN)) or self._is_under(place, self.roots):
            return True
        if sys.path != self._path:
            self._path = list(sys.path)
            entries = [e for e in sys.path if isinstance(e, str) and e and os.path.isabs(e)]
            self._path_folders = tuple(
                _folder(entry)
                for entry in entries
                if not _folder(entry).startswith(self._inst)
                and not self._is_under(entry, self._never)
            )
        return any(
            place.startswith(folder) and not is_never(place[len(folder) :])
            for folder in self._path_folders
        )

    def is_plain(self, place: str) -> bool:
        """Whether nothing below a root is hidden."""
        for root in (*self.roots, *self._path_folders):
            if place.startswith(root):
                return not is_hidden(place[len(root) :])
        return True


def installation() -> tuple[str, ...]:
    """The folders of the standard library and of installed packages."""
    paths = sysconfig.get_paths()
    folders = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {os.path.dirname(os.__file__)}
    folders |= {sys.prefix} if sys.prefix != sys.base_prefix else set()
    site = sys.modules.get("site")
    for name in ("getsitepackages", "getusersitepackages"):
        found: Any = getattr(site, name, list)()
        folders |= {found} if isinstance(found, str) else set(found)
    library = "python{}{}.zip".format(*sys.version_info)
    folders |= {entry for entry in sys.path if entry.endswith((os.sep + library, "dist-packages"))}
    return tuple(_with_real(sorted(folders)))


def _with_real(folders: Iterable[str]) -> tuple[str, ...]:
    """Folders as they are named and with their links resolved, longest first, each with a slash."""
    found = {_folder(os.path.abspath(each)) for each in folders}
    found |= {_folder(os.path.realpath(each)) for each in folders}
    return tuple(sorted(found, key=len, reverse=True))


def _folder(path: str) -> str:
    return path if path.endswith(os.sep) else path + os.sep


def is_hidden(relative: str) -> bool:
    """Whether something below a root never counts; a compiled copy stands for its source."""
    parts = relative.split(os.sep)
    if any(part.startswith(".") for part in parts) or "scratch" in parts:
        return True
    return "__pycache__" in parts and not relative.endswith(".pyc")


def is_never(relative: str) -> bool:
    """Whether something below a root counts in no way at all, even if it is asked for by name."""
    parts = relative.split(os.sep)
    if "scratch" in parts or any(part in OF_REPOSITORIES for part in parts):
        return True
    return "__pycache__" in parts and not relative.endswith(".pyc")


def kind_of_mode(mode: int) -> str:
    """Whether something is a file, a folder, a link or something else."""
    return {0o100000: "file", 0o040000: "folder", 0o120000: "link"}.get(mode & 0o170000, "other")
