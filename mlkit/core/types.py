"""The types that a notebook's parameters can have, and how a value is fitted to one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from mlkit.frozen import dataclass

__all__ = [
    "ANY",
    "TypeSpec",
    "ValueMismatchError",
    "accepts",
    "all_scalars",
    "as_parameter",
    "as_written",
    "fit",
    "infer",
    "is_parameter_value",
    "is_scalar",
    "takes_texts",
]

_CLASSES: Mapping[str, type[Any]] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "Secret": str,
    "list": list,
    "dict": dict,
    "None": type(None),
    "date": dt.date,
    "datetime": dt.datetime,
    "Path": PurePath,
}


_TEXTS = frozenset({"str", "Secret", "Path"})


@dataclass(frozen=True, kw_only=True)
class TypeSpec:
    """A parameter's type.

    Parameters
    ----------
    kind : str
        `any`, `union`, `literal`, or one of bool, int, float, str, Secret, list, dict, None, date,
        datetime, Path.
    members : tuple of TypeSpec
        A union's members; a list's element type; a dict's key and value types.
    choices : tuple
        A literal's values.
    source : str
        The class as the notebook spells it (`datetime.date`), so that a value can be written back.
    """

    kind: str
    members: tuple[TypeSpec, ...] = ()
    choices: tuple[Any, ...] = ()
    source: str = ""

    def __str__(self) -> str:
        """The type as one would write it in a notebook."""
        if self.kind == "union":
            return " | ".join(map(str, self.members))
        if self.kind == "literal":
            return f"Literal[{', '.join(map(repr, self.choices))}]"
        if self.members:
            return f"{self.kind}[{', '.join(map(str, self.members))}]"
        return self.kind

    @property
    def is_secret(self) -> bool:
        """Whether values of this type are secret."""
        return self.kind == "Secret" or any(member.is_secret for member in self.members)

    def find(self, kind: str) -> TypeSpec | None:
        """Give this type, or the first member of that kind, for its spelling."""
        if self.kind == kind:
            return self
        return next((hit for member in self.members if (hit := member.find(kind))), None)


ANY = TypeSpec(kind="any")


class ValueMismatchError(ValueError):
    """A value does not fit the type that was declared for it."""


def infer(value: Any, source: str = "") -> TypeSpec:
    """Give the type that is plain from a default value; `None` says nothing, so anything fits."""
    if value is None:
        return ANY
    for kind in ("bool", "int", "float", "str", "list", "dict", "datetime", "date", "Path"):
        if isinstance(value, _CLASSES[kind]):
            return TypeSpec(kind=kind, source=source)
    return ANY


def fit(value: Any, spec: TypeSpec) -> Any:
    """Fit a value to a type.

    An int is taken where a float is declared; a bool never passes for an int; ISO texts are taken
    where a date or datetime is declared, and texts where a path is.

    Parameters
    ----------
    value : object
        What the user gave.
    spec : TypeSpec
        What the notebook declares.

    Returns
    -------
    object
        The value as the notebook shall receive it.

    Raises
    ------
    ValueMismatchError
        If it does not fit.
    """
    if spec.kind == "any":
        return value
    if spec.kind == "union":
        return _fit_union(value, spec)
    if spec.kind == "literal":
        if any(type(value) is type(choice) and value == choice for choice in spec.choices):
            return value
        raise ValueMismatchError(f"{value!r} is not one of {', '.join(map(repr, spec.choices))}")
    return _fit_class(value, spec)


def _fit_union(value: Any, spec: TypeSpec) -> Any:
    exact = [m for m in spec.members if m.kind in _CLASSES and type(value) is _CLASSES[m.kind]]
    for member in [*exact, *spec.members]:
        try:
            return fit(value, member)
        except ValueMismatchError:
            continue
    raise ValueMismatchError(f"{value!r} is not {spec}")


def _fit_class(value: Any, spec: TypeSpec) -> Any:
    kind = spec.kind
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return _float_of(value)
    if kind in ("date", "datetime"):
        return _fit_date(value, spec)
    if kind == "Path" and isinstance(value, str):
        return Path(value)
    if isinstance(value, bool) and kind != "bool":
        raise ValueMismatchError(f"{value!r} is a bool, not {spec}")
    if not isinstance(value, _CLASSES[kind]):
        raise ValueMismatchError(f"{value!r} is not {_article(spec)}")
    if kind == "list" and spec.members:
        return [fit(item, spec.members[0]) for item in value]
    if kind == "dict" and spec.members:
        keys, values = spec.members
        return {fit(k, keys): fit(v, values) for k, v in value.items()}
    return value


def _float_of(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueMismatchError("the number is too large for a float") from None


def _fit_date(value: Any, spec: TypeSpec) -> dt.date:
    if isinstance(value, str):
        try:
            if spec.kind == "datetime":
                return dt.datetime.fromisoformat(value)
            return dt.date.fromisoformat(value)
        except ValueError as error:
            raise ValueMismatchError(f"{value!r} is not {_article(spec)} (ISO 8601)") from error
    if isinstance(value, dt.datetime):
        if spec.kind == "datetime":
            return value
        if value.time() == dt.time.min:
            return value.date()
    elif isinstance(value, dt.date):
        if spec.kind == "date":
            return value
        return dt.datetime.combine(value, dt.time.min)
    raise ValueMismatchError(f"{value!r} is not {_article(spec)}")


def _article(spec: TypeSpec) -> str:
    text = str(spec)
    return f"an {text}" if text[0] in "aeiou" else f"a {text}"


def accepts(spec: TypeSpec, value: Any) -> bool:
    """Whether a value fits a type."""
    try:
        fit(value, spec)
    except ValueMismatchError:
        return False
    return True


def as_written(text: str, value: Any, spec: TypeSpec) -> Any:
    """Choose between a text as somebody wrote it and the value that YAML reads in it.

    Where a text (or a path) is declared, it is the text, blanks and `#` included. Where a text is
    one of several possibilities, YAML's value comes first if another one takes it: `null` for
    `str | None`, `5` for `int | str`.

    Parameters
    ----------
    text : str
        What was written.
    value : object
        The same, read as YAML.
    spec : TypeSpec
        What the notebook declares.
    """
    if spec.kind in _TEXTS or (spec.kind == "literal" and text in spec.choices):
        return text
    if spec.kind == "union" and any(member.kind in _TEXTS for member in spec.members):
        others = [member for member in spec.members if member.kind not in _TEXTS]
        return value if any(accepts(member, value) for member in others) else text
    return value


def takes_texts(spec: TypeSpec) -> bool:
    """Whether any text fits a type, as it stands."""
    members = spec.members if spec.kind == "union" else (spec,)
    return any(member.kind in _TEXTS for member in members)


def is_parameter_value(value: Any) -> bool:
    """Whether a value is one that a parameter can have, down to its last member."""
    if isinstance(value, list):
        return all(map(is_parameter_value, value))
    if isinstance(value, Mapping):
        return all(map(is_parameter_value, [*value.keys(), *value.values()]))
    return is_scalar(value) or isinstance(value, PurePath)


def as_parameter(value: Any) -> Any:
    """Give a value that a program computed as a parameter has it.

    What numpy and pandas make becomes the plain value in it, a tuple or a range a list.

    Raises
    ------
    ValueMismatchError
        If a parameter cannot have it.
    """
    dtype = getattr(value, "dtype", None)
    if dtype is not None and hasattr(value, "tolist") and getattr(dtype, "kind", "") not in "mM":
        value = value.tolist()
    if isinstance(value, list | tuple | range):
        return [as_parameter(item) for item in value]
    if isinstance(value, Mapping):
        return {as_parameter(key): as_parameter(item) for key, item in value.items()}
    if is_parameter_value(value):
        return value
    kind = type(value)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    raise ValueMismatchError(f"a value of the type {name} cannot be a parameter's")


def is_scalar(value: Any) -> bool:
    """Whether a value can tell the instances of a mapped stage apart."""
    return isinstance(value, str | int | float | bool | dt.date) or value is None


def all_scalars(values: Sequence[Any]) -> bool:
    """Whether every value is a scalar."""
    return all(map(is_scalar, values))
