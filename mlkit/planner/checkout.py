"""Where a stage's project stands, and how its files are named for other checkouts.

A name is `ROOT:RELATIVE`, with the innermost root that holds the file: `notebook:` the notebook's
folder, `pipeline:` that of pipeline.yaml, `repository:` the repository's, `entry:` an entry of
`sys.path` that PYTHONPATH or a `.pth` file gives, `mlkit:` this package. What lies elsewhere is
named by its absolute path, as `path:/…`.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

from mlkit.inside.recorder import is_hidden

__all__ = ["INSTALLED", "Checkout", "installation"]

INSTALLED = "installed"
"""In a search path: all entries of the standard library and of installed packages."""

_MLKIT = str(Path(__file__).parents[1])


@dataclass(frozen=True)
class Checkout:
    """The folders of one stage's project.

    Parameters
    ----------
    notebook : str
        The folder of the stage's notebook.
    pipeline : str
        The folder of pipeline.yaml.
    never : tuple of str
        Folders and files that count never: the runs folder, an attempt's own folder.
    """

    notebook: str
    pipeline: str
    never: tuple[str, ...] = ()

    @cached_property
    def repository(self) -> str | None:
        """The innermost folder above pipeline.yaml that is a repository's root, if there is one."""
        folder = Path(self.pipeline)
        for each in (folder, *folder.parents):
            if (each / ".git").exists():
                return str(each)
        return None

    @cached_property
    def roots(self) -> tuple[tuple[str, str], ...]:
        """The roots, as word and folder, innermost first."""
        found = [("notebook", self.notebook), ("pipeline", self.pipeline)]
        if self.repository is not None:
            found.append(("repository", self.repository))
        return tuple(sorted(found, key=lambda item: -len(item[1])))

    def name(self, path: str) -> str:
        """Name a file or folder; one that ends with a slash keeps it."""
        slash = os.sep if path.endswith(os.sep) and path != os.sep else ""
        place = path[: len(path) - len(slash)]
        own = os.path.join(_MLKIT, "ml")
        if place == own or place.startswith(own + os.sep):
            return "mlkit:" + os.path.relpath(place, _MLKIT) + slash
        for each in dict.fromkeys((place, os.path.realpath(place))):
            for word, root in self.roots:
                for form in (root, os.path.realpath(root)):
                    if each == form:
                        return f"{word}:"
                    if each.startswith(form + os.sep):
                        return f"{word}:{each[len(form) + 1 :]}{slash}"
        for entry in _outside(self.base_path(os.environ)):
            if place.startswith(entry + os.sep):
                return f"entry:{place[len(entry) + 1 :]}{slash}"
        return f"path:{place}{slash}"

    def place(self, name: str, environ: Mapping[str, str] | None = None) -> str:
        """The path, in this checkout, of what bears a name."""
        word, _, relative = name.partition(":")
        if word == "path":
            return relative
        if word == "mlkit":
            return os.path.join(_MLKIT, relative)
        if word == "entry":
            entries = _outside(self.base_path(os.environ if environ is None else environ))
            places = [os.path.join(entry, relative) for entry in entries]
            there = [place for place in places if os.path.lexists(place)]
            return (there or places or [relative])[0]
        root = dict(self.roots).get(word)
        if root is None:  # recorded in a repository, looked at outside of one
            root = self.pipeline
        return os.path.join(root, relative) if relative else root

    def shown(self, path: str) -> str:
        """How to name a file to a person."""
        return self.name(path).partition(":")[2] or path

    def counts(self, path: str) -> bool:
        """Whether something may count at all: it is neither hidden nor scratch nor a run's.

        The recorder's rule; compiled copies, which stand for their sources there, are no names.
        """
        place = os.path.abspath(path)
        if any(place == each or place.startswith(each + os.sep) for each in self.never):
            return False
        for _, root in self.roots:
            if place.startswith(root + os.sep):
                relative = place[len(root) + 1 :]
                return not is_hidden(relative) and "__pycache__" not in relative.split(os.sep)
        return True

    def path_names(self, entries: Iterable[str]) -> list[str]:
        """Name the entries of a search path; those of the installation are one."""
        names: list[str] = []
        for entry in entries:
            if not entry or any(
                entry == each or entry.startswith(each + os.sep) for each in self.never
            ):
                continue
            name = INSTALLED if is_installed(entry) else self.name(entry)
            if name != INSTALLED or INSTALLED not in names:
                names.append(name)
        return names

    def base_path(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """The search path with which a kernel for this notebook starts."""
        text = environ.get("PYTHONPATH", "")
        given = [os.path.abspath(entry) for entry in text.split(os.pathsep) if entry]
        return tuple(dict.fromkeys([self.notebook, *given, *_from_installation(_site_marks())]))


@cache
def installation() -> tuple[str, ...]:
    """The folders of the standard library and of installed packages."""
    paths = sysconfig.get_paths()
    folders = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [os.path.dirname(os.__file__), *_site_folders()]
    folders += [sys.prefix] if sys.prefix != sys.base_prefix else []
    return tuple(dict.fromkeys(form for each in folders for form in (each, os.path.realpath(each))))


def is_installed(entry: str) -> bool:
    """Whether an entry of a search path belongs to the installation."""
    return entry.endswith(".zip") or any(
        entry == each or entry.startswith(each + os.sep) for each in installation()
    )


def _site_folders() -> list[str]:
    return [*site.getsitepackages(), site.getusersitepackages()]


def _site_marks() -> tuple[tuple[str, int], ...]:
    """What tells that packages, or `.pth` files, came or went."""
    found = []
    for folder in _site_folders():
        try:
            found.append((folder, os.stat(folder).st_mtime_ns))
        except OSError:
            continue
    return tuple(found)


@lru_cache(maxsize=8)
def _from_installation(marks: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """The entries that a fresh interpreter finds by itself: the library's, packages', `.pth`s'."""
    linked: list[str] = []
    for folder, _ in marks:
        for file in sorted(Path(folder).glob("*.pth")):
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    linked.append(os.path.abspath(os.path.join(folder, line.strip())))
    own = [entry for entry in sys.path if entry and is_installed(entry)]
    folders = [folder for folder, _ in marks if folder not in own]
    return tuple(dict.fromkeys([*own, *folders, *(e for e in linked if os.path.isdir(e))]))


def _outside(entries: Sequence[str]) -> list[str]:
    return [entry for entry in entries if not is_installed(entry)]
