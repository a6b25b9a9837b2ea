"""Frozen dataclasses that are quick to define.

`dataclasses.dataclass` writes six methods of every class as text and compiles them, 0.5 ms a class.
That is a quarter of what `mlkit run` takes when nothing has changed: it imports a hundred classes.
Here the methods that can do without the fields' names are shared by all classes. `__init__` is
compiled when a class is first called, and half of the classes never are.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import reprlib
import sys

TYPE_CHECKING = False  # as typing has it, which takes longer to import than all the rest here

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
    from typing import Any, Never
else:

    def dataclass(*, frozen: bool, kw_only: bool, order: bool = False) -> Callable[[type], type]:
        """Make of a class what the standard library's decorator of this name makes of it.

        `fields`, `replace`, `asdict`, `copy` and `pickle` treat its values as those of any
        dataclass. A class that inherits from it is made by this decorator, too.

        Parameters
        ----------
        frozen, kw_only : bool
            True: they are written down for readers and for type checkers.
        order : bool
            Whether values can be compared by `<`.
        """
        if not (frozen and kw_only):
            raise TypeError("dataclasses.dataclass makes classes that are not frozen or kw_only")
        return functools.partial(_made, shared={**_SHARED, **(_ORDER if order else {})})

    def replace(value: Any, /, **changes: Any) -> Any:
        """Copy a value of such a class, with other fields; a third of the time of the library's."""
        held = vars(value)
        if len(held) > len(value.__dataclass_fields__):  # beside the fields, what it has computed
            held = {field.name: held[field.name] for field in dataclasses.fields(value)}
        return value.__class__(**{**held, **changes})


__all__ = ["dataclass", "replace"]


def _made(cls: Any, shared: dict[str, Callable[..., object]]) -> Any:
    own = dict(vars(cls))
    if own.get("__hash__", 0) is None and "__eq__" in own:
        del own["__hash__"]  # Python's own doing, where a class says what is equal
    # The standard library would make up a docstring by means of `__init__`, which is not there yet.
    cls.__doc__ = cls.__doc__ or cls.__name__
    dataclasses.dataclass(kw_only=True, init=False, repr=False, eq=False)(cls)
    for name, method in {**shared, "__init__": _Init(cls)}.items():
        if name not in own:
            setattr(cls, name, method)
    return cls


class _Init:
    """The `__init__` of a class until somebody asks for it."""

    def __init__(self, cls: Any) -> None:
        self._cls = cls

    def __get__(self, value: object, owner: type | None = None) -> Any:
        written: Any = _init_of(self._cls)
        self._cls.__init__ = written
        return written if value is None else written.__get__(value, owner)


def _init_of(cls: Any) -> Callable[..., None]:
    """Compile the `__init__` of a class: it keeps what it is given, or else the default."""
    known: dict[str, Any] = {"_keep": object.__setattr__, "_ABSENT": _ABSENT}
    words, lines, hints = [], [], {}
    for field in dataclasses.fields(cls):
        name = field.name
        word = given = name
        if field.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = field.default
            word = f"{name}=_default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = field.default_factory
            word = f"{name}=_ABSENT"
            given = f"_make_{name}() if {name} is _ABSENT else {name}"
        words.append(word)
        hints[name] = field.type
        lines.append(f"_keep(self, {name!r}, {given})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    head = ", ".join(["self", *(["*", *words] if words else [])])
    body = "; ".join(lines or ["pass"])
    space: dict[str, Any] = {}
    text = f"def write({', '.join(known)}):\n def __init__({head}): {body}\n return __init__"
    exec(text, vars(sys.modules[cls.__module__]), space)
    written: Any = space["write"](**known)
    written.__qualname__ = f"{cls.__qualname__}.__init__"
    written.__annotations__ = {**hints, "return": None}
    return written  # type: ignore[no-any-return] # made of text


class _Absent:
    def __repr__(self) -> str:
        return "<factory>"


_ABSENT = _Absent()
"""What a field whose default is made anew each time is given when it is given nothing."""


@functools.cache
def _compared(cls: Any) -> Callable[[object], tuple[object, ...]]:
    """What reads those fields of a class's values that count in a comparison."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def called(self: Any, other: Any) -> Any:
        kind = self.__class__
        if other.__class__ is not kind:
            return NotImplemented
        return compare(_compared(kind)(self), _compared(kind)(other))

    return called


def _hash(self: Any) -> int:
    kind = self.__class__
    return hash(_compared(kind)(self))


@reprlib.recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_to_set(self: object, name: str, value: object) -> Never:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> Never:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


_SHARED: dict[str, Callable[..., object]] = {
    "__eq__": _comparison(operator.eq),
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
}
_ORDER = {f"__{name}__": _comparison(getattr(operator, name)) for name in ("lt", "le", "gt", "ge")}
