"""Names that a package exports, each imported when it is first used."""

from __future__ import annotations

import importlib
import sys

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all the rest here

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["exports"]


def exports(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the `__getattr__` and the `__dir__` of a package.

    A package imports so only what is asked of it: `import mlkit` takes a moment, and a command's
    help loads no driver. Type checkers read the same names below the package's `TYPE_CHECKING`.

    Parameters
    ----------
    package : str
        Its `__name__`.
    homes : mapping of str to str
        Each exported name with the module that it stands in.
    """
    there = vars(sys.modules[package])

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        there[name] = getattr(importlib.import_module(homes[name]), name)
        return there[name]

    return get, lambda: sorted({*there, *homes})
