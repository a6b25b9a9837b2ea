"""Read a `.env` file that somebody has named; none is ever read by itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlkit.errors import ConfigurationError, why_unreadable

__all__ = ["OWN_VARIABLES", "read_env_file", "with_env_file"]

OWN_VARIABLES = "MLKIT_"
"""What a command looks for itself; everything else in the file is for `${NAME}` alone."""


def read_env_file(file: Path) -> dict[str, str]:
    """Read the variables of a `.env` file: `NAME=value` on each line, as python-dotenv reads it.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or a line is none of that form.
    """
    # A command without such a file does not pay for the library.
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    try:
        with file.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        raise ConfigurationError(
            "there is no such file of environment variables",
            file,
            remedy="Name a file with lines such as API_TOKEN=…",
            code="E406",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        fact, remedy = why_unreadable(error)
        fact = f"the file cannot be read: {fact}"
        raise ConfigurationError(fact, file, remedy=remedy, code="E406") from None
    for binding in bindings:
        if binding.error or (binding.key is not None and binding.value is None):
            blank = binding.original.string[: -len(binding.original.string.lstrip()) or None]
            raise ConfigurationError(
                "this line sets no variable",
                file,
                binding.original.line + blank.count("\n"),
                "Write NAME=value, and quotes around a value that holds spaces or #",
                code="E406",
            )
    found: Mapping[str, str | None] = dotenv_values(file, encoding="utf-8-sig")
    return {name: value for name, value in found.items() if value is not None}


def with_env_file(file: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Give an environment with the variables of a file below it: what is set already wins."""
    return {**({} if file is None else read_env_file(file)), **environ}
