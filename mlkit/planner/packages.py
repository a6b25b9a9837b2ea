"""From the names of imported modules to the installed packages and their versions."""

from __future__ import annotations

import importlib.metadata as metadata
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

__all__ = ["installed_version", "packages_of"]

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@lru_cache(maxsize=4096)
def installed_version(package: str) -> str | None:
    """The version of an installed package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@cache
def _by_module() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


@cache
def _modules_by_package() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for module, packages in _by_module().items():
        for package in packages:
            found.setdefault(_normal(package), set()).add(module)
    return {package: frozenset(modules) for package, modules in found.items()}


@lru_cache(maxsize=4096)
def _requirements(package: str) -> tuple[str, ...]:
    try:
        lines = metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return ()
    matches = (_REQUIREMENT.match(line) for line in lines if "extra ==" not in line)
    return tuple(_normal(match[0]) for match in matches if match is not None)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def packages_of(named: Iterable[str], imported: Iterable[str]) -> dict[str, str]:
    """Give the packages behind some modules, with those that these require and that were imported.

    Parameters
    ----------
    named : iterable of str
        Top-level modules that the notebook and its project modules import.
    imported : iterable of str
        All top-level modules that the kernel knew at the end; a requirement counts only if one of
        its modules is among them.

    Returns
    -------
    dict of str to str
        Package name to version.
    """
    loaded = set(imported)
    todo = [
        _normal(p) for module in named if module in loaded for p in _by_module().get(module, ())
    ]
    found: dict[str, str] = {}
    while todo:
        package = todo.pop()
        version = installed_version(package)
        if package in found or version is None:
            continue
        found[package] = version
        modules = _modules_by_package()
        todo += [name for name in _requirements(package) if modules.get(name, frozenset()) & loaded]
    return dict(sorted(found.items()))
