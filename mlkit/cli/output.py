"""How commands speak: one JSON document on stdout, or text for people."""

from __future__ import annotations

import codecs
import json
import sys
from pathlib import Path
from typing import Any, NoReturn, TextIO

import typer

from mlkit.core.harmless_text import harmless
from mlkit.core.values import plain
from mlkit.errors import MlkitError

__all__ = ["fail", "is_utf8", "print_json", "say", "show_page"]


def print_json(document: Any) -> None:
    """Print one JSON document on stdout, with nan and the like in their plain form.

    It is ASCII alone, unless stdout is UTF-8 and can hold it.
    """
    document = plain(document)
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    if not (is_utf8(sys.stdout) and is_whole(text)):
        text = json.dumps(document, indent=2, allow_nan=False)
    typer.echo(text)


def is_utf8(stream: TextIO) -> bool:
    """Whether a stream's encoding is UTF-8."""
    return codecs.lookup(stream.encoding or "utf-8").name == "utf-8"


def is_whole(text: str) -> bool:
    """Whether UTF-8 can hold a text; names of files that are not UTF-8 leave halves of pairs."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def say(text: str) -> None:
    """Tell people something on stderr; what it quotes does nothing to their terminal."""
    typer.echo(harmless(text), err=True)


def show_page(file: Path) -> None:
    """Open a page in the browser; where that cannot be done, say so."""
    if typer.launch(file.as_uri()) != 0:
        say(f"No browser could be opened; open {file} yourself.")


def fail(error: MlkitError, *, exit_code: int | None = None, as_json: bool = False) -> NoReturn:
    """Say what is wrong, where, and what to do; then end the command.

    Parameters
    ----------
    error : MlkitError
        The fact, the place, the remedy and the code, also of the others that were found with it.
    exit_code : int, optional
        2 for a mistake found before anything ran, 1 for a failure; default: the error's own.
    as_json : bool
        Say it as one JSON document on stdout as well.
    """
    if as_json:
        first: dict[str, Any] = _parts(error)
        if error.others:
            first["others"] = [_parts(each) for each in error.others]
        print_json({"error": first})
    for each in (error, *error.others):
        say(_sentence(each))
    raise SystemExit(error.exit_code if exit_code is None else exit_code)


def _parts(error: MlkitError) -> dict[str, str | int | None]:
    names = ("message", "file", "line", "remedy", "code")
    return {name: getattr(error, name) for name in names}


def _sentence(error: MlkitError) -> str:
    place = f"{error.place}: " if error.place else ""
    sentence = f"mlkit: {place}{error.message}"
    if not sentence.endswith((".", "!", "?", "…", "^")):  # a mark below a word ends none
        sentence += "."
    if error.remedy:
        sentence += f"\n       {error.remedy}"
        sentence += "" if error.remedy.endswith((".", "?", "!")) else "."
    return f"{sentence} [{error.code}]"
