"""The Python that executes a stage: mlkit's own, or another environment's."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from mlkit.core.pipeline import Stage
from mlkit.inside import interpreter_facts

__all__ = ["Interpreter", "interpreter", "program_of"]

ANSWER_S = 30.0
"""A program that does not answer by then is no Python that could be asked."""


@dataclass(frozen=True, eq=False)
class Interpreter:
    """What an interpreter says of itself; see `interpreter`.

    Parameters
    ----------
    version : str
        Its version; empty if it could not be asked.
    folders : tuple of str
        The folders of the standard library and of installed packages, links resolved as well.
    sites : tuple of str
        Those of packages alone, where `.pth` files stand.
    path : tuple of str
        Its `sys.path`.
    builtin, stdlib : frozenset of str
        Modules without a file; all top-level modules of the standard library.
    suffixes : tuple of str
        How the names of its compiled modules end.
    """

    version: str = ""
    folders: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    builtin: frozenset[str] = frozenset()
    stdlib: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()

    def is_installed(self, entry: str) -> bool:
        """Whether an entry of a search path belongs to the installation."""
        return self._is_library(entry) or (entry + os.sep).startswith(self._prefixes)

    def _is_library(self, entry: str) -> bool:
        """Whether an entry is the archive that the standard library may stand in."""
        name = "python" + "".join(self.version.split(".")[:2]) + ".zip"
        return os.path.basename(entry) == name

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        return tuple(folder + os.sep for folder in self.folders)

    def own_path(self) -> tuple[str, ...]:
        """The entries that it finds by itself today: the library's, packages', `.pth`s'."""
        return _own_path(self, tuple(filter(None, map(_mark, self.sites))))


def interpreter(program: str = "") -> Interpreter:
    """Give the interpreter of a path; by default mlkit's own.

    Another one is asked once, as long as its file and its environment's settings stay the same.
    """
    if not program:
        return _answer("", ())
    settings = str(Path(program).parents[1] / "pyvenv.cfg")
    return _answer(program, tuple(filter(None, map(_mark, (program, settings)))))


def program_of(stage: Stage) -> str:
    """The interpreter that a stage's kernel is, for `interpreter`; empty for mlkit's own."""
    return stage.kernel.program if stage.kernel is not None else ""


@lru_cache(maxsize=32)
def _answer(program: str, _marks: tuple[tuple[str, int], ...]) -> Interpreter:
    found = interpreter_facts.facts() if not program else _asked(program)
    if not found:
        return Interpreter()
    return Interpreter(
        version=found["version"],
        folders=tuple(found["folders"]),
        sites=tuple(found["sites"]),
        path=tuple(found["path"]),
        builtin=frozenset(found["builtin"]),
        stdlib=frozenset(found["stdlib"]),
        suffixes=tuple(found["suffixes"]),
    )


def _asked(program: str) -> dict[str, Any]:
    """What another Python says; nothing if it is none, or is gone.

    With `-E`, since what PYTHONPATH adds differs from run to run and is looked at apart.
    """
    import subprocess  # needed for another Python only

    try:
        done = subprocess.run(
            [program, "-E", interpreter_facts.__file__],
            capture_output=True,
            timeout=ANSWER_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    return found


def _mark(place: str) -> tuple[str, int] | None:
    """What tells that a folder's entries, or a file, changed."""
    try:
        return place, os.stat(place).st_mtime_ns
    except OSError:
        return None


@lru_cache(maxsize=8)
def _own_path(of: Interpreter, marks: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    linked: list[str] = []
    for folder, _ in marks:
        for file in sorted(Path(folder).glob("*.pth")):
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    linked.append(os.path.abspath(os.path.join(folder, line.strip())))
    own = [entry for entry in of.path if of.is_installed(entry)]
    folders = [folder for folder, _ in marks if folder not in own]
    return tuple(dict.fromkeys([*own, *folders, *(e for e in linked if os.path.isdir(e))]))
