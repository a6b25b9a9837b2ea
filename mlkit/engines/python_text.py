"""Write Python as Black and ruff would format it, without asking them.

What fits on a line of 88 characters stays on it; what does not is opened up, one item a line, with
a trailing comma. Such text is also stable under wider line lengths, because of that comma.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "LINE",
    "Group",
    "Text",
    "assign",
    "call",
    "decorate",
    "flat",
    "listing",
    "literal",
    "value",
    "write",
]

LINE = 88
"""The width of a line, without its break."""
_STEP = "    "


@dataclass(frozen=True, kw_only=True)
class Group:
    """A call, list or mapping: what opens it, its items with what stands before each, its end."""

    opening: str
    items: tuple[tuple[str, Text], ...]
    closing: str


Text = str | Group
"""An expression: finished text, or a group that can be opened up."""


def literal(text: str) -> str:
    """Write a string as Black does: double quotes unless the others save escapes."""
    double = json.dumps(text, ensure_ascii=False)
    if text.count('"') <= text.count("'"):
        return double
    inner = double[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{inner}'"


def value(item: Any) -> Text:
    """Write a plain value: None, bool, number, date, str, list or mapping with str keys."""
    if isinstance(item, str):
        return literal(item)
    if isinstance(item, dt.date):
        return repr(item).removeprefix("datetime.")
    if isinstance(item, float) and not math.isfinite(item):
        return f'float("{item}")'
    if isinstance(item, list | tuple):
        return listing(value(part) for part in item)
    if isinstance(item, Mapping):
        items = tuple((f"{literal(str(k))}: ", value(v)) for k, v in item.items())
        return Group(opening="{", items=items, closing="}")
    if isinstance(item, float) and not math.isfinite(item):
        return f'float("{item}")'
    return repr(item).replace("e+", "e")


def listing(items: Iterable[Text]) -> Group:
    """Write a list of expressions."""
    return Group(opening="[", items=tuple(("", item) for item in items), closing="]")


def call(name: str, /, *arguments: Text, **named: Text) -> Group:
    """Write a call."""
    items = [("", item) for item in arguments]
    items += [(f"{key}=", item) for key, item in named.items()]
    return Group(opening=f"{name}(", items=tuple(items), closing=")")


def write(text: Text, *, before: str = "", after: str = "", indent: int = 0) -> str:
    """Write an expression as lines.

    Parameters
    ----------
    text : Text
        The expression.
    before, after : str
        What stands before and after it on its lines, without the indentation.
    indent : int
        By how many steps it is indented.
    """
    line = f"{_STEP * indent}{before}{flat(text)}{after}"
    if len(line) <= LINE or isinstance(text, str) or not text.items:
        return line
    inner = [write(t, before=b, after=",", indent=indent + 1) for b, t in text.items]
    head = f"{_STEP * indent}{before}{text.opening}"
    return "\n".join([head, *inner, f"{_STEP * indent}{text.closing}{after}"])


def assign(name: str, text: Text, indent: int = 0) -> str:
    """Write `NAME = EXPRESSION`."""
    return write(text, before=f"{name} = ", indent=indent)


def decorate(text: Text) -> str:
    """Write `@EXPRESSION`."""
    return write(text, before="@")


def flat(text: Text) -> str:
    """Write an expression on one line, however long."""
    if isinstance(text, str):
        return text
    return text.opening + ", ".join(b + flat(t) for b, t in text.items) + text.closing
