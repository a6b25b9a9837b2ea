"""Which Jupyter kernel runs a notebook: mlkit's own Python, another Python, another language."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlkit.core.pipeline import Kernel
from mlkit.errors import NotebookError
from mlkit.notebook.cells import NotebookSource

__all__ = [
    "NoKernelError",
    "find_kernel",
    "is_named_in_metadata",
    "kernel_of_notebook",
    "named_in_metadata",
]

USUAL = frozenset({"python3", "python", "python2"})
"""What a notebook names that asks for the Python at hand, wherever it is opened."""

_BARE_PYTHON = re.compile(r"python[\d.]*(\.exe)?")


class NoKernelError(ValueError):
    """There is no kernel of a name; its text says which there are.

    Parameters
    ----------
    name : str
        The name.
    known : sequence of str
        The names of those that are installed.
    """

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    @property
    def choice(self) -> str:
        """What to choose from, as a remedy says it."""
        return f"Installed are: {', '.join(self.known)} ('jupyter kernelspec list')"


def find_kernel(name: str) -> Kernel | None:
    """Give the kernel of a name; None if that is mlkit's own Python.

    The names that every Python's own kernel bears, and the name of this Python's environment, are
    taken without a look at what is installed.

    Raises
    ------
    NoKernelError
        If none of that name is installed.
    """
    if name.lower() in USUAL or name.lower() in _names_of_this_environment():
        return None
    # Importing jupyter_client takes 0.1 s, which a pipeline with the usual kernels does not pay.
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        spec = manager.get_kernel_spec(name)
    except NoSuchKernel:
        raise NoKernelError(name, sorted(manager.find_kernel_specs())) from None
    program = spec.argv[0] if spec.argv else ""
    if spec.language.lower() != "python":
        return Kernel(name=name, language=spec.language)
    return None if _is_own(program) else Kernel(name=name, program=program)


def kernel_of_notebook(source: NotebookSource) -> Kernel | None:
    """Give the kernel that a notebook names; None if that is mlkit's own Python.

    Raises
    ------
    NotebookError
        If none of that name is installed, or if the notebook is in another language than Python
        and names none.
    """
    name = _named(source)
    try:
        kernel = None if name is None else find_kernel(name)
    except NoKernelError as missing:
        raise NotebookError(
            f"the notebook names the kernel '{name}', which is not installed here",
            source.path,
            remedy=f"{missing.choice}. Choose one under Kernel › Change Kernel in JupyterLab, name "
            "one in pipeline.yaml by 'kernel:', or give mlkit's Python that name as well: "
            f"{sys.executable} -m ipykernel install --sys-prefix --name {name}",
            code="E303",
        ) from None
    if kernel is None and (language := source.language) not in (None, "python"):
        raise NotebookError(
            f"the notebook is written in {language}, not in Python, and names no kernel for it",
            source.path,
            remedy="Name one in pipeline.yaml by 'kernel:', or choose a kernel in JupyterLab and "
            "save the notebook",
            code="E303",
        )
    return kernel


def named_in_metadata(kernel: Kernel | None) -> dict[str, str]:
    """What a notebook's metadata say under `kernelspec` for a kernel to run it."""
    if kernel is None:
        return {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"name": kernel.name, "display_name": kernel.name, "language": kernel.language}


def is_named_in_metadata(metadata: Mapping[str, Any]) -> bool:
    """Whether a notebook's metadata name a kernel, as Papermill needs it."""
    return _name_in(metadata) is not None


def _named(source: NotebookSource) -> str | None:
    return _name_in(source.document.get("metadata", {}))


def _name_in(metadata: Mapping[str, Any]) -> str | None:
    said = metadata.get("kernelspec")
    name = said.get("name") if isinstance(said, dict) else None
    return name if isinstance(name, str) and name.strip() else None


def _is_own(program: str) -> bool:
    """Whether a kernel's interpreter is this one; links in a virtual environment's `bin` count."""
    if _BARE_PYTHON.fullmatch(program):
        return True  # jupyter_client puts the interpreter at hand in its place
    folders = {Path(sys.prefix) / "bin", Path(sys.executable).parent}
    return Path(program).parent.resolve() in {folder.resolve() for folder in folders}


def _names_of_this_environment() -> frozenset[str]:
    """The names under which an environment's own kernel is known to Jupyter and to conda."""
    own = Path(sys.prefix).name.lower()
    names = {own, own.lstrip("."), f"conda-env-{own}-py"}
    if (Path(sys.prefix) / "conda-meta").is_dir() and not _lies_in_envs():
        names |= {"conda-root-py", "conda-base-py", "base"}
    return frozenset(names)


def _lies_in_envs() -> bool:
    return Path(sys.prefix).parent.name == "envs"
