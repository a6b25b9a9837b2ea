"""Where the engines' own environments are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mlkit.engines.registry import Engine
from mlkit.engines.remedies import engine_remedy
from mlkit.errors import EngineError

__all__ = ["core_executable", "engine_python", "engine_version", "find_python"]


def find_python(engine: Engine, environ: Mapping[str, str]) -> Path | None:
    """Find the Python of an engine's environment; None if it is not there.

    Parameters
    ----------
    engine : Engine
        The engine.
    environ : mapping of str to str
        The environment; `MLKIT_NAME_PYTHON` wins over the usual place, beside the core's own
        environment. The working directory may be anybody's: a Python in it is not started.
    """
    named = environ.get(engine.python_variable)
    if named:
        return Path(named) if os.access(named, os.X_OK) else None
    python = Path(sys.prefix).parent / engine.environment / "bin" / "python"
    return python if os.access(python, os.X_OK) else None


def engine_python(engine: Engine, environ: Mapping[str, str]) -> Path:
    """Find the Python of an engine's environment.

    Parameters
    ----------
    engine : Engine
        The engine.
    environ : mapping of str to str
        The environment, which may name it.

    Raises
    ------
    EngineError
        If it is not there.
    """
    python = find_python(engine, environ)
    if python is not None:
        return python
    named = environ.get(engine.python_variable)
    fact = f"{engine.python_variable} names {named}, which cannot be run" if named else None
    raise EngineError(
        fact or f"{engine.title} is not installed here", remedy=engine_remedy(engine, Path.cwd())
    )


def engine_version(engine: Engine, python: Path) -> str | None:
    """Ask an environment for the version of its engine; None if the engine is not in it.

    Parameters
    ----------
    engine : Engine
        The engine.
    python : Path
        The environment's Python.
    """
    code = f"from importlib.metadata import version; print(version({engine.package!r}))"
    try:
        done = subprocess.run(
            [python, "-I", "-c", code],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def core_executable() -> Path:
    """Give the `mlkit` of this environment, which the tasks call.

    Raises
    ------
    EngineError
        If this Python has none beside it.
    """
    found = Path(sys.executable).parent / "mlkit"
    if not found.exists():
        raise EngineError(
            f"there is no mlkit beside {sys.executable}, so tasks could not call it",
            remedy="Install mlkit into an environment and call it from there",
        )
    return found
