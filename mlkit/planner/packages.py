"""From the names of imported modules to the installed packages and their versions."""

from __future__ import annotations

import importlib.metadata as metadata
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

__all__ = ["installed_version", "packages_of"]

_TOP_LEVEL = re.compile(r'^"?([A-Za-z_]\w*)(?:/|(?:\.[\w-]+)*\.(?:py|so|pyd),)', re.MULTILINE)
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@lru_cache(maxsize=4096)
def installed_version(package: str) -> str | None:
    """The version of an installed package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@cache
def _by_module() -> Mapping[str, frozenset[str]]:
    """Top-level modules and the packages that bring them, from the packages' lists of files.

    `metadata.packages_distributions` says the same, but parses all metadata for it: 0.1 s.
    """
    found: dict[str, set[str]] = {}
    for folder in dict.fromkeys(Path(entry) for entry in sys.path if entry):
        for info in (*folder.glob("*.dist-info"), *folder.glob("*.egg-info")):
            for module in _top_level(info):
                found.setdefault(module, set()).add(_normal(info.name.partition("-")[0]))
    return {module: frozenset(packages) for module, packages in found.items()}


def _top_level(info: Path) -> set[str]:
    """The modules of one package: as it declares them, or as its list of files shows them."""
    declared, record = info / "top_level.txt", info / "RECORD"
    if declared.is_file() and (names := set(declared.read_text("utf-8", "replace").split())):
        return names
    if not record.is_file():
        return set()
    return set(_TOP_LEVEL.findall(record.read_text("utf-8", "replace"))) - {"__pycache__"}


@cache
def _modules_by_package() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for module, packages in _by_module().items():
        for package in packages:
            found.setdefault(package, set()).add(module)
    return {package: frozenset(modules) for package, modules in found.items()}


@lru_cache(maxsize=4096)
def _requirements(package: str) -> tuple[str, ...]:
    """What a package requires or can make use of, as pandas does of pyarrow."""
    try:
        lines = metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return ()
    matches = map(_REQUIREMENT.match, lines)
    return tuple(_normal(match[0]) for match in matches if match is not None)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def packages_of(named: Iterable[str], imported: Iterable[str]) -> dict[str, str]:
    """Give the packages behind some modules, with those that these can use and that were imported.

    Where a kernel was forked from a process that had more imported than this notebook needs, a
    package that is only optional to another one counts, too, although perhaps nobody used it:
    better a rerun too many after an upgrade than a stale result.

    Parameters
    ----------
    named : iterable of str
        Top-level modules that the notebook and its project modules import.
    imported : iterable of str
        All top-level modules that the kernel knew at the end; a requirement, also an optional one,
        counts only if one of its modules is among them.

    Returns
    -------
    dict of str to str
        Package name to version.
    """
    loaded = set(imported)
    todo = [p for module in named if module in loaded for p in _by_module().get(module, ())]
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
