"""Import big libraries without the parts of them that take long and are not needed."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["FORMAT_CHECKS", "missing", "plugins_of", "postponed"]

FORMAT_CHECKS = ("rfc3987_syntax", "rfc3986_validator", "isoduration")
"""What jsonschema, and with it nbformat, imports to check formats that no notebook uses (`iri`,
`uri`, `duration`); it takes a second."""


@contextlib.contextmanager
def missing(*names: str) -> Iterator[None]:
    """Have modules look as if they were not installed, unless they are imported already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None: not to be had
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


class _Postponed(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        """Import the module, and give what it has."""
        return getattr(self.real(), name)

    def real(self) -> ModuleType:
        """The module itself; from here on nobody else finds this one in its place, either."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return importlib.import_module(self.__name__)


@contextlib.contextmanager
def postponed(*names: str) -> Iterator[None]:
    """Have what is imported meanwhile import modules when it uses them; others do so as ever."""
    with _standing_in([_Postponed(name) for name in names]):
        yield


@contextlib.contextmanager
def plugins_of(package: str) -> Iterator[None]:
    """Have a package find its plug-ins sooner: `entrypoints` parses the metadata of all packages.

    Where none of them names a group of this package, there is none to be found; otherwise it is
    asked as ever.
    """

    class Entrypoints(_Postponed):
        def get_group_all(self, group: str) -> list[Any]:
            return list(self.real().get_group_all(group)) if _is_named(f"[{package}.") else []

    with _standing_in([Entrypoints("entrypoints")]):
        yield


@contextlib.contextmanager
def _standing_in(modules: list[_Postponed]) -> Iterator[None]:
    """Put modules in the places of those that are not imported yet, for what is imported now."""
    placed = {each.__name__: each for each in modules if each.__name__ not in sys.modules}
    sys.modules.update(placed)
    try:
        yield
    finally:
        for name, module in placed.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _is_named(text: str) -> bool:
    """Whether the metadata of an installed package may hold a text among their entry points."""
    wanted = text.encode()
    for folder in map(Path, sys.path):
        if folder.suffix == ".egg" or folder.is_file():
            return True  # an archive, or a place of its own kind: that is left to others
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith((".dist-info", ".egg-info")):
                    file = Path(entry.path, "entry_points.txt")
                    if file.is_file() and wanted in file.read_bytes():
                        return True
    return False
