"""Run one submission's cells under pytest, in this process; the kernel is elsewhere."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlkit.errors import GradingError
from mlkit.grading.verdict.plugin import Execution, GradingPlugin

__all__ = ["run_pytest"]

OPTIONS = ("-q", "--noconftest", "-c", os.devnull, "-p", "nbval.plugin", "-p", "no:cacheprovider")
UNWANTED = (
    *("junitxml", "pastebin", "doctest", "unittest", "faulthandler", "stepwise", "logging"),
    *("unraisableexception", "threadexception", "tmpdir", "setuponly", "setupplan"),
)


def run_pytest(execution: Execution) -> None:
    """Fill in what came out of every cell of a submission.

    The notebook that pytest collects stands alone in a new folder, so that no file of the
    submission takes part; nor do a conftest.py, a configuration or plugins from anywhere.

    Raises
    ------
    GradingError
        If the kernel could not be started.
    """
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with tempfile.TemporaryDirectory(prefix="mlkit-") as folder, _quiet():
        notebook = Path(folder).resolve() / "restored.ipynb"
        notebook.write_text("{}", encoding="utf-8")
        without = [word for name in UNWANTED for word in ("-p", f"no:{name}")]
        cell = f"--nbval-cell-timeout={execution.around.limits.cell_s}"
        arguments = [*OPTIONS, *without, cell, "--capture=no", f"--rootdir={folder}", str(notebook)]
        pytest.main(arguments, plugins=[GradingPlugin(notebook, execution)])
    if execution.trouble:
        raise GradingError(execution.trouble)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        yield
