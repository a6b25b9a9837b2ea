"""Write Python as `ruff format` would leave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["block", "call", "literal", "quoted", "signature"]

WIDTH = 88
INDENT = "    "


def quoted(text: str) -> str:
    """A string literal in double quotes where that needs no escape."""
    single = repr(text)
    if single.startswith('"') or '"' in text:
        return single
    return f'"{single[1:-1]}"'


def literal(value: Any) -> str:
    """A value of strings, numbers and lists of them as a literal on one line."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value)


def call(head: str, arguments: Sequence[str], tail: str = "") -> list[str]:
    """A call on one line, or one argument a line where that is too long.

    Parameters
    ----------
    head : str
        What stands before the opening bracket, indented.
    arguments : sequence of str
        The arguments as they stand in the call.
    tail : str
        What follows the closing bracket.
    """
    return _bracketed(head, ("(", ")"), arguments, tail)


def _bracketed(
    head: str, brackets: tuple[str, str], items: Sequence[str], tail: str = ""
) -> list[str]:
    opening, closing = brackets
    whole = f"{head}{opening}{', '.join(items)}{closing}{tail}"
    if len(whole) <= WIDTH or not items:
        return [whole]
    indent = head[: len(head) - len(head.lstrip())]
    inner = [line for item in items for line in _item(indent + INDENT, item)]
    return [f"{head}{opening}", *inner, f"{indent}{closing}{tail}"]


def _item(indent: str, item: str) -> list[str]:
    """One argument on a line of its own; a long list or call within it is broken up as well."""
    if len(indent) + len(item) + 1 <= WIDTH:
        return [f"{indent}{item},"]
    for opening, closing in (("[", "]"), ("(", ")")):
        head, found, rest = item.partition(opening)
        if found and rest.endswith(closing) and not head.endswith('"'):
            return _bracketed(indent + head, (opening, closing), _split(rest[:-1]), ",")
    return [f"{indent}{item},"]


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no bracket and no string."""
    parts, depth, quote, start, escaped = [], 0, "", 0, False
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote and not escaped else quote
            escaped = char == "\\" and not escaped
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and not depth:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]


def signature(name: str, parameters: Sequence[str], returns: str) -> list[str]:
    """The first lines of a function; `returns` is a call."""
    *lines, last = call(f"def {name}", parameters, f" -> {returns}:")
    if len(last) <= WIDTH:
        return [*lines, last]
    head, _, inner = last.removesuffix("):").partition(" -> ")
    function, _, arguments = inner.partition("(")
    return [*lines, *_bracketed(f"{head} -> {function}", ("(", ")"), _split(arguments), ":")]


def block(head: str, lines: Sequence[str]) -> list[str]:
    """A `with` or the like and what stands in it."""
    return [head, *(INDENT + line if line else line for line in lines)]
