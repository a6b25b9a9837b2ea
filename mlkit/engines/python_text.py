"""Write Python: expressions and statements, each on one line; Black gives them their form."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "assign",
    "call",
    "decorate",
    "formatted",
    "listing",
    "literal",
    "mapping",
    "number",
    "one_line",
    "usage",
    "value",
    "write",
]

_STEP = "    "


def formatted(source: str) -> str:
    """Give a file its form.

    Parameters
    ----------
    source : str
        A whole file of Python.
    """
    import black  # here, since it takes a tenth of a second and only exports need it

    return black.format_str(source, mode=black.Mode())


def literal(text: str) -> str:
    """Write a string."""
    return repr(text)


def number(item: float) -> str:
    """Write a number, a whole one without a point."""
    return repr(int(item) if item == int(item) else item)


def one_line(text: str) -> str:
    """Write a text as it may stand in a docstring, on one line."""
    return " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")


def usage(commands: Mapping[str, str]) -> str:
    """Write commands and what they do, one under the other, as a docstring shows them."""
    width = max(map(len, commands)) + 4
    return "\n".join(f"    {command:{width}}{what}" for command, what in commands.items())


def value(item: Any) -> str:
    """Write a plain value: None, bool, number, date, str, list or mapping with str keys."""
    if isinstance(item, dt.date):
        return repr(item).removeprefix("datetime.")
    if isinstance(item, float) and not math.isfinite(item):
        return f"float({str(item)!r})"
    if isinstance(item, list | tuple):
        return listing(map(value, item))
    if isinstance(item, Mapping):
        return mapping({str(key): value(inner) for key, inner in item.items()})
    return repr(item)


def listing(items: Iterable[str]) -> str:
    """Write a list of expressions."""
    return f"[{', '.join(items)}]"


def mapping(items: Mapping[str, str]) -> str:
    """Write a mapping of strings to expressions."""
    return f"{{{', '.join(f'{literal(key)}: {item}' for key, item in items.items())}}}"


def call(name: str, /, *arguments: str, **named: str) -> str:
    """Write a call."""
    return f"{name}({', '.join([*arguments, *(f'{key}={item}' for key, item in named.items())])})"


def write(text: str, *, before: str = "", after: str = "", indent: int = 0) -> str:
    """Write an expression as a line.

    Parameters
    ----------
    text : str
        The expression.
    before, after : str
        What stands before and after it on its line, without the indentation.
    indent : int
        By how many steps it is indented.
    """
    return f"{_STEP * indent}{before}{text}{after}"


def assign(name: str, text: str, indent: int = 0) -> str:
    """Write `NAME = EXPRESSION`."""
    return write(text, before=f"{name} = ", indent=indent)


def decorate(text: str) -> str:
    """Write `@EXPRESSION`."""
    return write(text, before="@")
