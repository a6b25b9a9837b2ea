"""Lines of Python, as the compiler puts them together."""

from __future__ import annotations

from collections.abc import Sequence

from mlkit.engines.python_text import LINE, Group, Text, write
from mlkit.engines.python_text import literal as quoted
from mlkit.engines.python_text import value as literal

__all__ = ["INDENT", "Argument", "call", "expression", "literal", "quoted", "signature"]

INDENT = "    "

Argument = Text | tuple[str, Text]
"""An argument of a call; one by name is the name with its sign, and the value."""


def expression(function: str, arguments: Sequence[Argument]) -> Group:
    """A call as a value."""
    items = tuple(item if isinstance(item, tuple) else ("", item) for item in arguments)
    return Group(opening=f"{function}(", items=items, closing=")")


def call(head: str, arguments: Sequence[Argument], tail: str = "") -> list[str]:
    """A call on one line, or one argument a line where that is too long.

    Parameters
    ----------
    head : str
        What stands before the opening bracket, indented.
    arguments : sequence of Argument
        The arguments.
    tail : str
        What follows the closing bracket.
    """
    function = head.lstrip()
    steps = (len(head) - len(function)) // len(INDENT)
    return write(expression(function, arguments), after=tail, indent=steps).split("\n")


def signature(name: str, parameters: Sequence[str], returns: Group) -> list[str]:
    """The first lines of a function that returns what a call makes."""
    *lines, last = call(f"def {name}", parameters, f" -> {_flat(returns)}:")
    if len(last) <= LINE:
        return [*lines, last]
    return [*lines, *write(returns, before=") -> ", after=":").split("\n")]


def _flat(group: Group) -> str:
    inner = (f"{before}{_text(text)}" for before, text in group.items)
    return f"{group.opening}{', '.join(inner)}{group.closing}"


def _text(text: Text) -> str:
    return text if isinstance(text, str) else _flat(text)
