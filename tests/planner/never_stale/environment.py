"""A private environment: the packages of this one by hard links, and others that come and go."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlkit.notebook.kernels.warm_zygotes import stop_warm_zygotes

__all__ = ["Environment", "private_environment"]

_TREE = "_editable_impl_mlkit.pth"
"""What `pip install -e` leaves in the environment: the path of the tree that `mlkit` stands in."""

_UNUSED = (
    *("tests", "typeshed", "mypy", "mypyc", "moto", "cfnlint", "mlflow", "botocore", "networkx"),
    *("babel", "sphinx", "sphinxcontrib", "docutils", "playwright", "pip", "sympy"),
    "mlkit_odd*",
)
"""What nothing imports here: half of all files, and modules that another test makes for a while."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment of this test's own.

    Parameters
    ----------
    folder : Path
        A temporary folder, on the file system of the packages.
    python : Path
        Its interpreter.
    site : Path
        Its site-packages.
    runtime : Path
        Where runs leave what forks kernels to later ones.
    """

    folder: Path
    python: Path
    site: Path
    runtime: Path


@contextmanager
def private_environment(tree: Path) -> Iterator[Environment]:
    """Make an environment in which `mlkit` comes from a tree; it goes with the context.

    A hard link costs nothing and looks like an installed file in every respect; a link or a line
    in a `.pth` file would lead out of the environment. Python never writes into a file that it has
    installed or compiled, so the other environment is safe.
    """
    own = Path(sysconfig.get_path("purelib"))
    with tempfile.TemporaryDirectory(prefix="never-stale-", dir=_near(own)) as name:
        folder = Path(name).resolve()
        home = folder / "venv"
        venv.EnvBuilder(symlinks=True, with_pip=False).create(home)
        site = home / own.relative_to(Path(sysconfig.get_path("data")))
        shutil.rmtree(site)
        unused = shutil.ignore_patterns(*_UNUSED)
        shutil.copytree(own, site, symlinks=True, copy_function=os.link, ignore=unused)
        (site / _TREE).unlink(missing_ok=True)
        (site / _TREE).write_text(f"{tree.resolve()}\n")
        python = home / "bin" / "python"
        # Processes of mlkit come and go here, and none of them leaves compiled copies behind.
        subprocess.run([python, "-m", "compileall", "-qq", tree.resolve() / "mlkit"], check=True)
        with tempfile.TemporaryDirectory(prefix="mlkit-test-", dir="/tmp") as runtime:
            try:
                yield Environment(folder=folder, python=python, site=site, runtime=Path(runtime))
            finally:
                stop_warm_zygotes(env={"XDG_RUNTIME_DIR": runtime})


def _near(own: Path) -> Path | None:
    """The system's temporary folder, unless hard links cannot reach it."""
    if Path(tempfile.gettempdir()).stat().st_dev == own.stat().st_dev:
        return None
    return Path(sysconfig.get_path("data"))
