"""What a check prints of an answer's results: plain JSON, whatever right answers are made of.

A sum by NumPy is a number, and an exception of a library that is a `ValueError` is a `ValueError`.
What has no plain form is shown by its kind, so that a wrong result is a fact too, and no failure of
the check.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import numbers
import os
from collections.abc import Mapping
from datetime import date, time
from typing import Any

__all__ = ["as_facts", "error_name", "forget_said", "plain", "said"]

OUTERMOST = ("Exception", "BaseException")
_SAID: dict[str, dict[str, str]] = {}
DEEPEST = 100


class _Named(str):
    """The name of an exception, and what it says: a check prints the name alone."""

    says = ""


def as_facts(facts: Mapping[str, Any], **options: Any) -> str:
    """Write facts as one line of JSON.

    Parameters
    ----------
    facts : Mapping
        Name of a situation → what the answer gave there.
    **options
        For `json.dumps`.
    """
    _SAID.clear()
    if isinstance(facts, Mapping):  # an author may write any value so
        _SAID.update({str(name): _sayings(value, depth=0) for name, value in facts.items()})
    return json.dumps(plain(facts), **options)


def said() -> dict[str, dict[str, str]]:
    """What the exceptions in the last facts say: the fact's name → the exception's name → text.

    The first of each name in a fact. It is for who is told of a check at once, beside it: the text
    is no part of the facts, since equal answers may word it differently.
    """
    return {name: dict(texts) for name, texts in _SAID.items()}


def forget_said() -> None:
    """Before facts are made anew."""
    _SAID.clear()


def _sayings(value: Any, depth: int) -> dict[str, str]:
    if isinstance(value, _Named):
        return {str(value): value.says}
    found: dict[str, str] = {}
    if depth <= DEEPEST and isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            found = {**_sayings(part, depth + 1), **found}
    return found


def plain(value: Any) -> Any:
    """A value as JSON knows it: numbers of any library, mappings, sequences, texts, times.

    A set, whose elements have no order, stays apart from a list: `{"set": [elements, sorted]}`.

    Parameters
    ----------
    value : object
        Any value.
    """
    return _plain(value, depth=0)


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, numbers.Number) or hasattr(value, "dtype"):
        return _number(value, depth)
    if depth > DEEPEST:
        return "<nested too deep>"
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, set | frozenset):
        return {"set": sorted((_plain(item, depth + 1) for item in value), key=repr)}
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    return f"<{type(value).__name__}>"


def _number(value: Any, depth: int) -> Any:
    """A number of any kind, and arrays of them, which know how to become Python's own."""
    if isinstance(value, numbers.Integral):
        return int(value)
    if hasattr(value, "dtype"):
        turned = value.tolist() if hasattr(value, "tolist") else None
        known = turned is not None and not hasattr(turned, "dtype")
        return _plain(turned, depth + 1) if known else f"<{type(value).__name__}>"
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return f"<{type(value).__name__}>"


def _key(key: Any) -> Any:
    """JSON has texts for keys; what it turns into texts by itself stays as it is."""
    found: Any = plain(key)
    simple = found is None or isinstance(found, str | int | float)
    return found if simple else json.dumps(found)


def error_name(error: BaseException) -> str:
    """The name of an exception, as `except` sees it: that of the nearest class of Python's own.

    `graphlib.CycleError` is a `ValueError`. An exception that is no more than an `Exception` has
    its own name.

    Parameters
    ----------
    error : BaseException
        What was raised.
    """
    named = _Named(_name(type(error)))
    with contextlib.suppress(Exception):  # an exception's own __str__ may fail
        named.says = str(error)
    return named


def _name(raised: type[BaseException]) -> str:
    for kind in raised.__mro__:
        if kind.__name__ in OUTERMOST and kind.__module__ == "builtins":
            break
        if getattr(builtins, kind.__name__, None) is kind:
            return str(kind.__name__)
    name = raised.__name__
    return f"another {name}" if hasattr(builtins, name) and name not in OUTERMOST else name
