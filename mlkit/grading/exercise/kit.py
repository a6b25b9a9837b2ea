"""Where mlkit's own lessons and exercises are: in its checkout, or in the installed package."""

from __future__ import annotations

from pathlib import Path

from mlkit.errors import GradingError

__all__ = ["kit_contents", "kit_folder"]

PACKAGE = Path(__file__).resolve().parents[2]


def kit_folder() -> Path:
    """The checkout that mlkit is installed from."""
    return PACKAGE.parent


def kit_contents() -> Path:
    """The folder with `notebooks/`, `exercises/` and the pages to which they lead.

    A checkout comes first: what was installed from it may be older.

    Raises
    ------
    GradingError
        If there is neither.
    """
    for place in (PACKAGE.parent, PACKAGE / "kit"):
        if all((place / part).is_dir() for part in ("notebooks/lessons", "exercises")):
            return place
    raise GradingError(
        "this installation of mlkit has no lessons and exercises",
        PACKAGE,
        remedy="Install it again, from its wheel or its repository.",
    )
