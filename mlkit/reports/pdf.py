"""The run's report as a PDF, printed by an installed Chromium from the HTML page."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from mlkit.errors import ExecutionError, MissingExtraError

__all__ = ["BROWSER_VARIABLE", "find_browser", "print_pdf"]

BROWSER_VARIABLE = "MLKIT_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)
_DEADLINE_S = 120


def find_browser() -> str:
    """Find the browser that prints: `MLKIT_CHROMIUM`, or a Chromium or Chrome on the PATH.

    Raises
    ------
    MissingExtraError
        If there is none.
    """
    named = os.environ.get(BROWSER_VARIABLE)
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        fact = f"{BROWSER_VARIABLE} names '{named}', which cannot be run" if named else None
        raise MissingExtraError(
            fact or "a PDF is printed by Chromium or Chrome, and none is installed",
            remedy="Install it (Debian: apt-get install chromium), or name it in "
            f"{BROWSER_VARIABLE}; the HTML report needs nothing",
        )
    return found


def print_pdf(page: Path, to: Path, browser: str) -> Path:
    """Print an HTML file to a PDF, whole or not at all.

    Parameters
    ----------
    page : Path
        The HTML file.
    to : Path
        The PDF; its folder is made if it is missing, an older file is replaced.
    browser : str
        The program, see `find_browser`.

    Returns
    -------
    Path
        The PDF.

    Raises
    ------
    ExecutionError
        If the browser does not print it.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}.") as folder:
        aside = Path(folder) / "page.pdf"
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses root otherwise
        command = [browser, *_FLAGS, *sandbox, f"--user-data-dir={folder}/profile"]
        command += [f"--print-to-pdf={aside}", page.absolute().as_uri()]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_DEADLINE_S,
                check=False,
            )
            told = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        except subprocess.TimeoutExpired:
            told = [f"no answer in {_DEADLINE_S} s"]
        if not aside.is_file() or not aside.stat().st_size:
            raise ExecutionError(
                f"{browser} printed no PDF: {told[0]}",
                remedy="Try the HTML report, and print it from a browser",
            )
        aside.replace(to)
    return to
