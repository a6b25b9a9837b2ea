"""Types of parameters: what fits, and what is made of it."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.types import (
    ANY,
    TypeSpec,
    ValueMismatchError,
    accepts,
    all_scalars,
    fit,
    infer,
    is_parameter_value,
    is_scalar,
)

SCALAR = {kind: TypeSpec(kind=kind) for kind in ("bool", "int", "float", "str", "None")}
SECRET, DATE, DATETIME = (TypeSpec(kind=kind) for kind in ("Secret", "date", "datetime"))
PATH, LIST, DICT = (TypeSpec(kind=kind) for kind in ("Path", "list", "dict"))


def union(*members: TypeSpec) -> TypeSpec:
    """A union."""
    return TypeSpec(kind="union", members=members)


NUMBER = union(SCALAR["int"], SCALAR["float"])
FITS: list[tuple[Any, TypeSpec, Any]] = [
    (True, SCALAR["bool"], True),
    (3, SCALAR["int"], 3),
    (3, SCALAR["float"], 3.0),
    ("x", SCALAR["str"], "x"),
    (None, SCALAR["None"], None),
    ("123456", SECRET, "123456"),
    ("2013-01-02", DATE, dt.date(2013, 1, 2)),
    (dt.datetime(2013, 1, 2), DATE, dt.date(2013, 1, 2)),
    ("2013-01-02", DATETIME, dt.datetime(2013, 1, 2)),
    (dt.date(2013, 1, 2), DATETIME, dt.datetime(2013, 1, 2)),
    ("2013-01-02T03:04:05Z", DATETIME, dt.datetime(2013, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
    ("a/b", PATH, Path("a/b")),
    ([1, "x", None], LIST, [1, "x", None]),
    ({"a": 1}, DICT, {"a": 1}),
    ([1, 2], TypeSpec(kind="list", members=(SCALAR["float"],)), [1.0, 2.0]),
    (
        {"a": "2013-01-02"},
        TypeSpec(kind="dict", members=(SCALAR["str"], DATE)),
        {"a": dt.date(2013, 1, 2)},
    ),
    (3, NUMBER, 3),
    (3, union(SCALAR["float"], SCALAR["int"]), 3),
    (3, union(SCALAR["str"], SCALAR["float"]), 3.0),
    ("2013-01-02", union(DATE, SCALAR["str"]), "2013-01-02"),
    ("2013-01-02", union(DATE, SCALAR["None"]), dt.date(2013, 1, 2)),
    ("a", TypeSpec(kind="literal", choices=("a", 1)), "a"),
    ("b", union(TypeSpec(kind="literal", choices=("a",)), SCALAR["str"]), "b"),
    ((1, 2), ANY, (1, 2)),
]


@pytest.mark.parametrize(("value", "spec", "expected"), FITS)
def test_a_value_is_fitted(value: Any, spec: TypeSpec, expected: Any) -> None:
    """It comes out equal and of the declared type."""
    fitted = fit(value, spec)
    assert (fitted, type(fitted)) == (expected, type(expected))
    assert accepts(spec, value)


MISFITS: list[tuple[Any, TypeSpec, str]] = [
    (True, SCALAR["int"], "True is a bool, not int"),
    (True, SCALAR["float"], "True is a bool, not float"),
    (True, SCALAR["str"], "True is a bool, not str"),
    (1, SCALAR["bool"], "1 is not a bool"),
    (1.0, SCALAR["int"], "1.0 is not an int"),
    (1, SCALAR["str"], "1 is not a str"),
    ("1", SCALAR["int"], "'1' is not an int"),
    (None, SCALAR["str"], "None is not a str"),
    (3, SECRET, "3 is not a Secret"),
    ("yesterday", DATE, "'yesterday' is not a date (ISO 8601)"),
    ("2013-13-01", DATE, "'2013-13-01' is not a date (ISO 8601)"),
    (dt.datetime(2013, 1, 2, 3), DATE, "datetime.datetime(2013, 1, 2, 3, 0) is not a date"),
    (20130102, DATE, "20130102 is not a date"),
    (3, PATH, "3 is not a Path"),
    ({}, LIST, "{} is not a list"),
    ([True], TypeSpec(kind="list", members=(SCALAR["int"],)), "True is a bool, not int"),
    (True, NUMBER, "True is not int | float"),
    (1, TypeSpec(kind="literal", choices=(True, "a")), "1 is not one of True, 'a'"),
    (10**400, SCALAR["float"], "the number is too large for a float"),
]


@pytest.mark.parametrize(("value", "spec", "text"), MISFITS)
def test_a_value_that_does_not_fit_is_refused(value: Any, spec: TypeSpec, text: str) -> None:
    """With a text that names the value and the type."""
    with pytest.raises(ValueMismatchError) as caught:
        fit(value, spec)
    assert str(caught.value) == text
    assert not accepts(spec, value)


@pytest.mark.parametrize(
    ("default", "kind"),
    [
        *[(True, "bool"), (1, "int"), (1.0, "float"), ("x", "str"), ([], "list"), ({}, "dict")],
        *[(None, "any"), (dt.date(2013, 1, 1), "date"), (dt.datetime(2013, 1, 1), "datetime")],
        *[(Path("x"), "Path"), (math.nan, "float"), (object(), "any")],
    ],
)
def test_the_type_that_is_plain_from_a_default(default: Any, kind: str) -> None:
    """A bool is no int, a datetime no date, and None says nothing."""
    assert infer(default).kind == kind


def test_types_are_written_as_in_a_notebook() -> None:
    """For errors."""
    literal = TypeSpec(kind="literal", choices=("a", 1))
    assert str(union(NUMBER.members[0], SCALAR["None"])) == "int | None"
    assert str(literal) == "Literal['a', 1]"
    assert str(TypeSpec(kind="dict", members=(SCALAR["str"], LIST))) == "dict[str, list]"


def test_secrets_are_found_at_any_depth() -> None:
    """In a union, in a list."""
    assert union(SECRET, SCALAR["None"]).is_secret
    assert TypeSpec(kind="list", members=(SECRET,)).is_secret
    assert not NUMBER.is_secret


def test_values_of_parameters_and_scalars() -> None:
    """Tuples, sets and bytes are none; lists and mappings are no scalars."""
    good: list[Any] = [[1, {"a": [None, 2.0]}], dt.date(2013, 1, 1), Path("x"), "", {"a": {}}]
    assert all(map(is_parameter_value, good))
    bad: list[Any] = [(1,), {1}, b"x", 1j, [(1,)], {"a": b""}, {(1,): 2}, ...]
    assert not any(map(is_parameter_value, bad))
    assert all_scalars([1, "a", None, True, dt.date(2013, 1, 1)])
    assert not any(map(is_scalar, [[], {}, ()]))
