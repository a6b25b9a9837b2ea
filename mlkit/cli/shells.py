"""The shells whose Tab key can ask for words, and how they ask."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["VARIABLE", "Shell", "know_shells", "script_of"]

VARIABLE: Final = "_MLKIT_COMPLETE"
"""What a shell sets when it asks for words instead of calling a command."""


class Shell(StrEnum):
    """The shells that can ask."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def script_of(shell: Shell) -> str:
    """What a shell reads to know how to ask."""
    # typer keeps the function for its own options, which edit a user's files by themselves
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    return get_completion_script(prog_name="mlkit", complete_var=VARIABLE, shell=shell.value)


def know_shells() -> None:
    """Let typer answer the questions of shells."""
    from typer.completion import completion_init  # type: ignore[attr-defined]  # as above

    completion_init()
