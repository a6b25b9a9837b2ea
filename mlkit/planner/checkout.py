"""Where a stage's project stands, and how its files are named for other checkouts.

A name is `ROOT:RELATIVE`, with the innermost root that holds the file: `notebook:` the notebook's
folder, `pipeline:` that of pipeline.yaml, `repository:` the repository's, `entry:` an entry of
`sys.path` that PYTHONPATH or a `.pth` file gives, `mlkit:` this package. What lies elsewhere is
named by its absolute path, as `path:/…`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlkit.inside.counting_places import is_hidden
from mlkit.planner.interpreter import Interpreter, interpreter

__all__ = ["INSTALLED", "Checkout"]

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
    program : str
        The interpreter that executes the stage; empty for mlkit's own.
    """

    notebook: str
    pipeline: str
    never: tuple[str, ...] = ()
    program: str = ""

    @property
    def interpreter(self) -> Interpreter:
        """The Python that executes the stage; asked here, for a worker has another."""
        return interpreter(self.program)

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

    def ways_up(self, names: Iterable[str]) -> dict[str, str]:
        """How the notebook's folder leads to the outer roots under which something is named.

        What code reaches by `..` is another thing where a notebook lies deeper or less deep.
        """
        words = {name.partition(":")[0] for name in names}
        return {
            word: os.path.relpath(root, self.notebook)
            for word, root in self.roots
            if word in words and word != "notebook"
        }

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
        for entry in self._outside(os.environ):
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
            entries = self._outside(os.environ if environ is None else environ)
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

    def is_project(self, path: str) -> bool:
        """Whether something stands below a root, and may count."""
        place = os.path.abspath(path)
        return self.counts(place) and any(place.startswith(root + os.sep) for _, root in self.roots)

    def path_names(self, entries: Iterable[str]) -> list[str]:
        """Name the entries of a search path; those of the installation are one."""
        names: list[str] = []
        for entry in entries:
            if not entry or any(
                entry == each or entry.startswith(each + os.sep) for each in self.never
            ):
                continue
            name = INSTALLED if self.interpreter.is_installed(entry) else self.name(entry)
            if name != INSTALLED or INSTALLED not in names:
                names.append(name)
        return names

    def base_path(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """The search path with which a kernel for this notebook starts."""
        text = environ.get("PYTHONPATH", "")
        given = [os.path.abspath(entry) for entry in text.split(os.pathsep) if entry]
        return tuple(dict.fromkeys([self.notebook, *given, *self.interpreter.own_path()]))

    def _outside(self, environ: Mapping[str, str]) -> list[str]:
        """The entries of the search path that do not belong to the installation."""
        return [e for e in self.base_path(environ) if not self.interpreter.is_installed(e)]
