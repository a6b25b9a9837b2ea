"""Values as JSON and as text."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.values import canonical, decode, encode, label, safe_name, shown

TEXTS = st.text(st.characters(codec=None))
ZONES = st.timezones() | st.none() | st.just(dt.UTC)
SCALARS = (
    *(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.dates()),
    st.datetimes(timezones=ZONES.map(lambda zone: zone), allow_imaginary=False),
    st.sampled_from([Path("/a b/{c}"), Path("ü")]),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(*SCALARS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXTS | st.integers() | st.booleans(), inner, max_size=4)
        | st.dictionaries(st.sampled_from(["$date", "$dict", "$x", "y"]), inner, max_size=2)
    ),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    """Equal, of equal types, nan and the sign of zero included."""
    if isinstance(one, dt.datetime):
        return (
            isinstance(other, dt.datetime)
            and one == other
            and one.utcoffset() == (other.utcoffset())
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(map(repr, one)) == list(map(repr, other)) and all(
            same(one[key], other[key]) for key in one
        )
    return bool(one == other)


@given(VALUES)
def test_decode_undoes_encode_through_json(value: Any) -> None:
    """Exactly: types, nan, order, lone surrogates."""
    assert same(decode(json.loads(json.dumps(encode(value), allow_nan=False))), value)


@given(VALUES)
def test_canonical_is_the_same_for_the_same_value(value: Any) -> None:
    """However often it is written and read, and it is plain ASCII."""
    text = canonical(value)
    assert canonical(decode(json.loads(json.dumps(encode(value))))) == text
    assert text.isascii()


@given(st.dictionaries(TEXTS | st.integers(), st.integers(), max_size=5), st.randoms())
def test_canonical_does_not_know_a_mappings_order(value: dict[Any, int], random: Any) -> None:
    """Equal mappings are written equally."""
    items = list(value.items())
    random.shuffle(items)
    assert canonical({"in": [dict(items)]}) == canonical({"in": [value]})


@pytest.mark.parametrize(
    "values",
    [
        [1, 1.0, True, "1", "true", None, "null", [1], {"1": 1}, {1: 1}],
        [dt.date(2013, 1, 1), dt.datetime(2013, 1, 1), "2013-01-01", Path("2013-01-01")],
        [{"$date": "2013-01-01"}, dt.date(2013, 1, 1)],
        [0.0, -0.0, 0, False, "", []],
    ],
)
def test_canonical_tells_types_apart(values: list[Any]) -> None:
    """A parameter that changes its type makes a stage run again."""
    assert len({canonical(value) for value in values}) == len(values)


@given(st.lists(TEXTS, unique=True, max_size=6))
def test_safe_names_of_different_texts_differ(texts: list[str]) -> None:
    """No two stages share a folder."""
    assert len({safe_name(text) for text in texts}) == len(texts)


@given(TEXTS | st.text("./\\%~*\0\n", max_size=300) | st.text("ü漢a", min_size=60, max_size=400))
def test_safe_names_are_safe(text: str) -> None:
    """One part of a path, short enough, printable, encodable."""
    name = safe_name(text)
    assert name not in ("", ".", "..")
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert len(name.encode()) <= 217
    assert name.isprintable()


def test_safe_names_by_example() -> None:
    """What is harmless stays readable."""
    assert safe_name("train[a b-ü_漢]") == "train[a b-ü_漢]"
    assert safe_name("train[a/b]") == "train[a%2Fb]"
    assert safe_name("50%") == "50%25"
    assert [safe_name(text) for text in ("", ".", "..")] == ["%", "%2E", "%2E%2E"]
    long = "x" * 300
    assert safe_name(long).startswith("x" * 200 + "~")
    assert safe_name(long) != safe_name(long + "x")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[("a b", "a b"), ("", ""), (1, "1"), (1.0, "1.0"), (1e-3, "0.001"), (-0.0, "-0.0")],
        *[(True, "true"), (False, "false"), (None, "null"), (float("nan"), "nan")],
        *[(dt.date(2013, 1, 2), "2013-01-02")],
        *[(dt.datetime(2013, 1, 2, 3), "2013-01-02T03:00:00")],
    ],
)
def test_labels(value: Any, text: str) -> None:
    """A scalar as it stands in `STAGE[VALUE]`."""
    assert label(value) == text


@given(st.lists(st.integers() | st.floats(allow_nan=False) | st.booleans(), max_size=8))
def test_labels_of_different_values_differ(values: list[Any]) -> None:
    """Texts apart: `'1'` and `1` share a label, which the loader refuses."""
    different = {canonical(value) for value in values}
    assert len({label(value) for value in values}) == len(different)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["Köln", "数据 🎉"], '["Köln","数据 🎉"]'),
        ({"ü": None}, '{"ü":null}'),
        ("\ud800ä", r'"\ud800\u00e4"'),
        ("\x9b31m", r'"\u009b31m"'),
        ("\u202eä", r'"\u202e\u00e4"'),
    ],
)
def test_people_see_letters_and_nothing_that_steers_their_terminal(value: Any, text: str) -> None:
    """Halves of pairs, control characters and changes of direction are escaped."""
    assert shown(value) == text


@given(VALUES)
def test_what_is_shown_is_printable(value: Any) -> None:
    """Whatever it is."""
    assert shown(value).isprintable()
