"""The site in another language: Sphinx puts translations by gettext in place of sentences."""

from __future__ import annotations

import re
from pathlib import Path

from mlkit.errors import UsageError
from mlkit.frozen import dataclass

__all__ = ["Translated", "find_translation", "settings_of"]

_FOLDER = Path("docs", "locale")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")


@dataclass(frozen=True, kw_only=True)
class Translated:
    """A language of the site.

    Parameters
    ----------
    language : str
        As Sphinx names it: `de`, `pt_BR`.
    folder : Path
        Holds `LANGUAGE/LC_MESSAGES/….po`.
    """

    language: str
    folder: Path


def find_translation(root: Path, language: str) -> Translated:
    """Find the translations into a language, in docs/locale.

    Parameters
    ----------
    root : Path
        The checkout.
    language : str
        The language.

    Raises
    ------
    UsageError
        If there are none.
    """
    folder = root / _FOLDER
    if not _LANGUAGE.fullmatch(language):
        raise UsageError(f"'{language}' is no language", remedy="Languages are such as de, pt_BR")
    if not any((folder / language / "LC_MESSAGES").rglob("*.po")):
        there = sorted(path.name for path in folder.glob("*") if path.is_dir())
        raise UsageError(
            f"there is no translation into '{language}' in {folder}",
            remedy=f"There are: {', '.join(there)}" if there else "docs/translating.md says how",
        )
    return Translated(language=language, folder=folder)


def settings_of(translated: Translated | None) -> list[str]:
    """Give Sphinx's options: one catalogue a page, and the language. Pure.

    Parameters
    ----------
    translated : Translated, optional
        The language; English, if there is none.
    """
    options = ["-D", "gettext_compact=0", "-D", "gettext_location=0"]
    if translated is None:
        return options
    return [
        *options,
        *("-D", f"language={translated.language}"),
        *("-D", f"locale_dirs={translated.folder}"),
    ]
