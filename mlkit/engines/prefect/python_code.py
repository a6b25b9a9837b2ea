"""Write Python as a formatter would leave it, so that an exported file needs none."""

from __future__ import annotations

import datetime as dt
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

__all__ = ["LINE_WIDTH", "Group", "Names", "call", "keyword_argument", "literal", "write"]

LINE_WIDTH = 88
_STEP = "    "


def literal(value: Any) -> str:
    """Write a value as Python on one line, texts in double quotes, dates by their class.

    Parameters
    ----------
    value : object
        A parameter's value.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, PurePath):
        return _text(str(value))
    if isinstance(value, dt.date):
        return repr(value).removeprefix("datetime.")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value}")'
    return repr(value)


def _text(text: str) -> str:
    shown = repr(text)
    if shown.startswith('"') or '"' in text:
        return shown
    return f'"{shown[1:-1]}"'


@dataclass(frozen=True)
class Group:
    """A call, list or dict, which a formatter may spread over several lines.

    Parameters
    ----------
    head : str
        What stands before the first item, the opening bracket included.
    items : tuple of str or Group
        What stands between the brackets, in order.
    close : str
        The closing bracket.
    """

    head: str
    items: tuple[str | Group, ...]
    close: str = ")"

    def __str__(self) -> str:
        """Everything on one line."""
        return f"{self.head}{', '.join(map(str, self.items))}{self.close}"


def call(name: str, *arguments: str | Group) -> Group:
    """Make a call; `name` may be more than a name: `x = f`."""
    return Group(f"{name}(", arguments)


def keyword_argument(name: str, value: str | Group) -> str | Group:
    """Put `name=` before a value."""
    if isinstance(value, str):
        return f"{name}={value}"
    return Group(f"{name}={value.head}", value.items, value.close)


def write(code: str | Group, *, indent: int = 0, tail: str = "") -> str:
    """Write code on one line if it fits, else one item a line.

    Parameters
    ----------
    code : str or Group
        The code.
    indent : int
        Levels of indentation.
    tail : str
        What follows on the last line.
    """
    lead = _STEP * indent
    line = f"{lead}{code}{tail}"
    if isinstance(code, str) or not code.items or len(line) <= LINE_WIDTH:
        return line
    inner = [write(item, indent=indent + 1, tail=",") for item in code.items]
    return "\n".join([f"{lead}{code.head}", *inner, f"{lead}{code.close}{tail}"])


class Names:
    """Hands out Python names, each once.

    Parameters
    ----------
    taken : iterable of str
        Names that mean something already.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def new(self, wish: str) -> str:
        """Give a name as close to a wish as Python and the names already given allow."""
        name = re.sub(r"\W", "_", wish.lower()) or "_"
        name = f"_{name}" if name[0].isdigit() else name
        while keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in self._taken:
            name += "_"
        self._taken.add(name)
        return name
