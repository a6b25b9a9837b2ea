"""What to type to get what is missing: a make target where there is one, else pip."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from mlkit.engines.extras import requirements_of
from mlkit.engines.registry import Engine

__all__ = ["engine_remedy", "install_remedy", "make_command"]


def make_command(target: str, folder: Path) -> str | None:
    """Give `make TARGET`, if the folder's own Makefile has that target.

    Parameters
    ----------
    target : str
        The target.
    folder : Path
        Where it will be typed.
    """
    try:
        rules = (folder / "Makefile").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{re.escape(target)}\s*:(?!=)", rules, re.MULTILINE)
    return f"make {target}" if found else None


def install_remedy(folder: Path, wrong: Sequence[str] = ()) -> str:
    """How to install mlkit's own requirements again; `wrong` are those that are not met."""
    make = make_command("install", folder)
    if make is not None:
        return f"Install again: {make}"
    if (folder / "requirements.lock").is_file():
        return "Install again: pip install -r requirements.lock"
    if wrong:
        return f"pip install {shlex.join(wrong)}"
    return "Install mlkit again, into a fresh environment"


def engine_remedy(engine: Engine, folder: Path) -> str:
    """How to get an engine, which lives in an environment of its own."""
    make = make_command(engine.name, folder)
    if make is None and (every := make_command("engines", folder)) is not None:
        make = f"{every} ENGINES={engine.name}"
    if make is not None:
        return f"Set it up with '{make}', or name its Python in {engine.python_variable}"
    pip = f"{engine.environment}/bin/pip install {shlex.join(requirements_of(engine.name))}"
    return (
        f"Make an environment of its own: python -m venv {engine.environment} && {pip}; or name "
        f"its Python in {engine.python_variable}"
    )
