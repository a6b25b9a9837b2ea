"""Kernels that are not mlkit's own Python: another environment's, and bash's."""

from __future__ import annotations

import importlib.metadata as metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Environment", "add_kernel", "make_environment"]


def add_kernel(jupyter: Path, name: str, argv: Sequence[str], language: str = "python") -> None:
    """Make a kernel known under a folder of JUPYTER_PATH.

    It has a home of its own: what a person's start-up files do, bash's above all, may take minutes.
    """
    folder = jupyter / "kernels" / name
    folder.mkdir(parents=True)
    spec: dict[str, object] = {
        "argv": [*argv, "-f", "{connection_file}"],
        "display_name": name,
        "language": language,
    }
    home = jupyter / "home"
    home.mkdir(exist_ok=True)
    spec["env"] = {"HOME": str(home)}
    (folder / "kernel.json").write_text(json.dumps(spec))


class Environment:
    """A virtual environment with packages of its own; mlkit is not among them.

    Parameters
    ----------
    folder : Path
        Where it stands.
    """

    def __init__(self, folder: Path) -> None:
        self.python = folder / "bin" / "python"
        (self.site,) = folder.glob("lib/python*/site-packages")

    def install(self, name: str, version: str, source: str) -> None:
        """Install a package of one module, in the place of an earlier version."""
        for old in self.site.glob(f"{name}-*.dist-info"):
            shutil.rmtree(old)
        (self.site / f"{name}.py").write_text(source)
        info = self.site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "RECORD").write_text(f"{name}.py,,\n")


def make_environment(folder: Path) -> Environment:
    """Make a virtual environment that holds ipykernel and what it needs.

    Their files are linked from this environment, metadata included, which is what an installer does
    that has them at hand: no index is asked.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    made = Environment(folder)
    for name in _closure("ipykernel"):
        for file in metadata.files(name) or ():
            source, place = Path(str(file.locate())), made.site / Path(*file.parts)
            if ".." not in file.parts and "__pycache__" not in file.parts and source.is_file():
                place.parent.mkdir(parents=True, exist_ok=True)
                _link(source, place)
    return made


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:  # on another file system
        shutil.copy2(source, place)


def _closure(name: str) -> set[str]:
    """A package and all that it requires here."""
    found: set[str] = set()
    todo = [name]
    while todo:
        package = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        try:
            requires = metadata.requires(package) or []
        except metadata.PackageNotFoundError:
            continue  # for another system
        if package not in found:
            found.add(package)
            plain = [line for line in requires if "extra ==" not in line]
            todo += [re.match(r"[\w.-]+", line)[0] for line in plain]  # type: ignore[index] # always
    return found
