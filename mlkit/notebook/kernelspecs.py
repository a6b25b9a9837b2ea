"""Which kernel a notebook asks for, and whether that is the Python that runs it.

Stages run in mlkit's own Python. A notebook that names another kernel would run elsewhere when it
is opened by hand, with other packages: it is refused rather than run in the wrong place.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.errors import NotebookError

if TYPE_CHECKING:
    from mlkit.notebook.cells import NotebookSource

__all__ = ["check_kernel", "kernel_name"]

USUAL = frozenset({"python3", "python", "python2"})
"""What a notebook names that asks for the Python at hand, wherever it is opened."""

_BARE_PYTHON = re.compile(r"python[\d.]*(\.exe)?")


def kernel_name(source: NotebookSource) -> str | None:
    """The kernel that a notebook names; None if it names none."""
    said = source.document.get("metadata", {}).get("kernelspec")
    name = said.get("name") if isinstance(said, dict) else None
    return name if isinstance(name, str) and name.strip() else None


def check_kernel(source: NotebookSource) -> None:
    """Refuse a notebook that names a kernel other than the Python that will run it.

    The names that every Python's own kernel bears, and the name of this Python's environment, are
    taken without a look at what is installed.

    Raises
    ------
    NotebookError
        If the kernel is another environment's, another language's, or not installed.
    """
    name = kernel_name(source)
    if name is None or name.lower() in USUAL or name.lower() in _names_of_this_environment():
        return
    # Importing jupyter_client takes 0.1 s, which a pipeline with the usual kernels does not pay.
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel:
        raise NotebookError(
            f"the notebook names the kernel '{name}', which is not installed here",
            source.path,
            remedy=_remedy(
                f"or give mlkit's Python that name as well: {sys.executable} -m ipykernel install "
                f"--sys-prefix --name {name}"
            ),
        ) from None
    if spec.language.lower() != "python":
        raise NotebookError(
            f"the notebook names the kernel '{name}', which speaks {spec.language}, not Python",
            source.path,
            remedy=_remedy(),
        )
    program = spec.argv[0] if spec.argv else ""
    if not _is_own(program):
        raise NotebookError(
            f"the notebook names the kernel '{name}', which is another Python ({program}) than "
            f"the one that would run it ({sys.executable})",
            source.path,
            remedy=_remedy("or run mlkit in that environment"),
        )


def _remedy(further: str = "") -> str:
    first = "Choose 'Python 3 (ipykernel)' under Kernel › Change Kernel in JupyterLab and save it"
    return f"{first}; {further}" if further else first


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
