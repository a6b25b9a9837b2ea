"""The installed packages, their versions, and which of them bring which modules."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterable, Sequence
from functools import cache, cached_property, lru_cache
from hashlib import sha256
from pathlib import Path

from mlkit.planner.interpreter import Interpreter, interpreter

__all__ = ["Packages", "read_ahead"]

_TOP_LEVEL = re.compile(r'^"?([A-Za-z_]\w*)(?:/|(?:\.[\w-]+)*\.(?:py|so|pyd),)', re.MULTILINE)
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Packages:
    """What is installed in some folders; made by `Packages.of`.

    The first package of a name on the path wins, as it does in an import.
    """

    @classmethod
    def of(cls, folders: Iterable[str], python: Interpreter | None = None) -> Packages:
        """Give the packages of some folders, installed for a Python (mlkit's own), as they are.

        Versions are read anew for each object, and everything else as soon as something was
        installed or removed, which changes the time of a folder: also a process that lives for days
        sees today's packages.
        """
        marks = []
        for folder in dict.fromkeys(folders):
            try:
                marks.append((folder, os.stat(folder).st_mtime_ns))
            except OSError:
                continue
        return cls(_read(tuple(marks)), python or interpreter())

    def __init__(self, contents: _Contents, python: Interpreter) -> None:
        self._contents = contents
        self._python = python
        self._versions: dict[str, str | None] = {}

    def version(self, package: str) -> str | None:
        """The version of an installed package; None if it is not installed."""
        name = _normal(package)
        if name not in self._versions:
            info = self._contents.infos.get(name)
            self._versions[name] = None if info is None else _version(info)
        return self._versions[name]

    def versions(self, packages: Iterable[str]) -> dict[str, str | None]:
        """The versions of some packages, by their names as packages are compared."""
        return {_normal(package): self.version(package) for package in packages}

    def all_versions(self) -> str:
        """What tells one set of installed packages from another."""
        told = sorted(f"{name}={self.version(name)}" for name in self._contents.infos)
        return sha256("\n".join(told).encode("utf-8", "replace")).hexdigest()

    def changed_ns(self, package: str) -> int:
        """When a package was installed, in nanoseconds since 1970; 0 if that is not known."""
        info = self._contents.infos.get(_normal(package))
        try:
            return 0 if info is None else info.stat().st_ctime_ns
        except OSError:
            return 0

    def behind(self, named: Iterable[str], imported: Iterable[str]) -> dict[str, str]:
        """Give the packages behind some modules, with those that these use and that were imported.

        Where a kernel was forked from a process that had more imported than this notebook needs, a
        package that is only optional to another one counts, too, although perhaps nobody used it:
        better a rerun too many after an upgrade than a stale result.

        Parameters
        ----------
        named : iterable of str
            Top-level modules that the notebook and its project modules import.
        imported : iterable of str
            All top-level modules that the kernel knew at the end; a requirement, also an optional
            one, counts only if one of its modules is among them.

        Returns
        -------
        dict of str to str
            Package name to version.
        """
        loaded = set(imported)
        todo = [
            p
            for module in named
            if module in loaded
            for p in self._contents.by_module.get(module, ())
        ]
        found: dict[str, str] = {}
        while todo:
            package = todo.pop()
            version = self.version(package)
            if package in found or version is None:
                continue
            found[package] = version
            needs = self._contents.requirements(package)
            modules = self._contents.modules
            todo += [name for name in needs if modules.get(name, frozenset()) & loaded]
        return dict(sorted(found.items()))

    def unowned(self, top: str) -> Path | None:
        """A module of site-packages that no package brings: a folder copied there by hand."""
        if top in self._contents.by_module or top in self._python.stdlib:
            return None
        for folder in self._contents.folders:
            if not self._python.is_installed(str(folder)) or "-packages" not in folder.name:
                continue
            for place in (folder / top, folder / f"{top}.py"):
                if place.exists():
                    return place
        return None


class _Folder:
    """The packages whose metadata stand in one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._needs: dict[str, tuple[str, ...]] = {}

    @cached_property
    def infos(self) -> dict[str, Path]:
        """Each package's folder of metadata."""
        found: dict[str, Path] = {}
        for info in (*self.path.glob("*.dist-info"), *self.path.glob("*.egg-info")):
            found.setdefault(_normal(info.name.partition("-")[0].removesuffix(".egg")), info)
        return found

    @cached_property
    def modules(self) -> dict[str, frozenset[str]]:
        """Packages and the top-level modules that they bring, from their lists of files.

        `metadata.packages_distributions` says the same, but parses all metadata for it: 0.1 s.
        """
        return {package: frozenset(_top_level(info)) for package, info in self.infos.items()}

    def requirements(self, package: str) -> tuple[str, ...]:
        """What a package requires or can make use of, as pandas does of pyarrow."""
        if package not in self._needs:
            import importlib.metadata as metadata  # reads mail for it: only after an attempt

            lines = metadata.Distribution.at(self.infos[package]).requires or []
            matches = map(_REQUIREMENT.match, lines)
            self._needs[package] = tuple(_normal(match[0]) for match in matches if match)
        return self._needs[package]


class _Contents:
    """What stands in some folders together; the first package of a name wins."""

    def __init__(self, folders: Sequence[_Folder]) -> None:
        self.folders = [folder.path for folder in folders]
        self._homes: dict[str, _Folder] = {}
        for folder in folders:
            for package in folder.infos:
                self._homes.setdefault(package, folder)
        self.infos = {package: home.infos[package] for package, home in self._homes.items()}

    @cached_property
    def by_module(self) -> dict[str, frozenset[str]]:
        """Top-level modules and the packages that bring them."""
        found: dict[str, set[str]] = {}
        for package, modules in self.modules.items():
            for module in modules:
                found.setdefault(module, set()).add(package)
        return {module: frozenset(packages) for module, packages in found.items()}

    @cached_property
    def modules(self) -> dict[str, frozenset[str]]:
        """Packages and the top-level modules that they bring."""
        return {package: home.modules[package] for package, home in self._homes.items()}

    def requirements(self, package: str) -> tuple[str, ...]:
        """What a package requires or can make use of; nothing if it is not installed."""
        home = self._homes.get(package)
        return () if home is None else home.requirements(package)


@lru_cache(maxsize=4)
def _read(marks: tuple[tuple[str, int], ...]) -> _Contents:
    return _Contents([_folder(*mark) for mark in marks])


@lru_cache(maxsize=32)
def _folder(folder: str, _changed_ns: int) -> _Folder:
    """Read a folder once: attempts have search paths of their own, the installation is one."""
    return _Folder(Path(folder))


@cache
def read_ahead() -> None:
    """Begin, once, to read which modules the installed packages bring; returns at once.

    It takes 20 ms and more, which a driver has while a notebook computes, and not after that.
    """
    folders = [entry for entry in sys.path if entry]
    threading.Thread(target=_read_modules, args=(folders,), name="mlkit-ahead", daemon=True).start()


def _read_modules(folders: Sequence[str]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # it is not there; who asks later reads anew
            _ = _folder(folder, os.stat(folder).st_mtime_ns).modules


def _version(info: Path) -> str | None:
    """The version in a package's metadata; the first lines are enough."""
    for name in ("METADATA", "PKG-INFO"):
        try:
            with (info / name).open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    if line.startswith("Version:"):
                        return line.removeprefix("Version:").strip()
                    if not line.strip():
                        break
        except OSError:
            continue
    return None


def _top_level(info: Path) -> set[str]:
    """The modules of one package: as it declares them, or as its list of files shows them."""
    return set(_text(info / "top_level.txt").split()) or (
        set(_TOP_LEVEL.findall(_text(info / "RECORD"))) - {"__pycache__"}
    )


def _text(path: Path) -> str:
    """What stands in a file; nothing where there is none."""
    try:
        return path.read_text("utf-8", "replace")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
