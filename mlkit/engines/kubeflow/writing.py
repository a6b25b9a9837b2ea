"""Lines of Python, as the compiler puts them together."""

from __future__ import annotations

from collections.abc import Sequence

from mlkit.engines.python_text import literal as quoted
from mlkit.engines.python_text import value as literal

__all__ = ["INDENT", "Argument", "call", "expression", "literal", "quoted", "signature"]

INDENT = "    "

Argument = str | tuple[str, str]
"""An argument of a call; one by name is the name with its sign, and the value."""


def expression(function: str, arguments: Sequence[Argument]) -> str:
    """A call as a value."""
    items = (item if isinstance(item, str) else "".join(item) for item in arguments)
    return f"{function}({', '.join(items)})"


def call(head: str, arguments: Sequence[Argument], tail: str = "") -> list[str]:
    """A call as a statement, or as the beginning of one.

    Parameters
    ----------
    head : str
        What stands before the opening bracket, indented.
    arguments : sequence of Argument
        The arguments.
    tail : str
        What follows the closing bracket.
    """
    return [f"{expression(head, arguments)}{tail}"]


def signature(name: str, parameters: Sequence[str], returns: str) -> list[str]:
    """The first line of a function that returns what a call makes."""
    return call(f"def {name}", parameters, f" -> {returns}:")
