"""An engine's database with tables and nothing in them: made once beside its environment."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from mlkit.errors import EngineError

__all__ = ["empty_database"]


def empty_database(
    python: Path,
    engine: str,
    words: tuple[str, ...],
    settings: Callable[[Path], Mapping[str, str]],
    database: str,
) -> Path:
    """Give an empty database of an engine, to be copied; on first use the engine makes it.

    Its migrations take an engine longer than many a run. A newer version of the engine migrates
    what it is given, so that an old copy costs time and nothing else.

    Parameters
    ----------
    python : Path
        The Python of the engine's environment.
    engine : str
        The engine's name, which is also that of its module.
    words : tuple of str
        The engine's command that makes the tables.
    settings : callable
        Home → the environment variables of an engine with that home.
    database : str
        The name of the database in a home.

    Raises
    ------
    EngineError
        If it cannot be made.
    """
    template = python.parent.parent / f"mlkit-{engine}.db"
    if template.exists():
        return template
    with (template.parent / f".{template.stem}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            with tempfile.TemporaryDirectory(dir=template.parent) as name:
                home = Path(name)
                _migrate([str(python), "-P", "-m", engine, *words], settings(home))
                (home / database).replace(template)
    return template


def _migrate(command: list[str], settings: Mapping[str, str]) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **settings},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
        name = command[3].capitalize()
        raise EngineError(f"{name} cannot make its database; it said: {said[0]}")
