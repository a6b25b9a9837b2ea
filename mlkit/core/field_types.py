"""Whether a dataclass holds what its fields declare, where its values came from a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

__all__ = ["holds_what_it_declares"]


def holds_what_it_declares(value: Any) -> bool:
    """Whether every field of a dataclass, and of those in it, is of its type.

    Parameters
    ----------
    value : object
        An instance of a dataclass whose fields are plain values, unions, tuples of one type, and
        mappings.
    """
    hints = get_type_hints(type(value))
    return all(
        _fits(getattr(value, each.name), hints[each.name]) for each in dataclasses.fields(value)
    )


def _fits(value: Any, kind: Any) -> bool:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is UnionType:
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        items = parts[:1] * len(value) if isinstance(value, tuple) else ()
        kinds = items if parts[-1] is ... else parts
        return (
            isinstance(value, tuple) and len(value) == len(kinds) and all(map(_fits, value, kinds))
        )
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            _fits(key, parts[0]) and _fits(item, parts[1]) for key, item in value.items()
        )
    if kind in (int, float):
        taken = (int, float) if kind is float else int
        return isinstance(value, taken) and not isinstance(value, bool)
    if dataclasses.is_dataclass(kind):
        return isinstance(value, kind) and holds_what_it_declares(value)  # type: ignore[arg-type] # it is a class
    return isinstance(value, kind)
