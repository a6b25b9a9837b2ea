"""The ids of instances: they can be read again, and found by any of their values."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.instances import (
    Piece,
    Table,
    instance_id,
    is_named,
    labels_of,
    pieces,
    split_id,
    stage_of,
    written,
)
from mlkit.core.values import label

SCALARS = st.one_of(
    st.text(),
    st.text(alphabet='ab,[]*" \\é'),
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.dates(),
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("xgboost", "xgboost"),
        (1, "1"),
        (1.0, "1.0"),
        (True, "true"),
        (None, "null"),
        (dt.date(2013, 1, 2), "2013-01-02"),
        ("a.b", "a.b"),
        ("a b", "a b"),
        ("", ""),
        ("a,b", '"a,b"'),
        ("a[1]", '"a[1]"'),
        ("*", '"*"'),
        ('"a"', '"\\"a\\""'),
        (" a", '" a"'),
        ("é,", '"é,"'),
        ("a\x1b[31m", '"a\\u001b[31m"'),
        ("a\nb", '"a\\nb"'),
        ("\x7f\x9b", '"\\u007f\\u009b"'),
        ("\u202eab", '"\\u202eab"'),
        ("\u2028", '"\\u2028"'),
        ("👩\u200d👧 x", "👩\u200d👧 x"),
    ],
)
def test_a_value_is_quoted_only_where_it_must_be(value: object, expected: str) -> None:
    """As JSON, where it could be taken for something else."""
    assert written(value) == expected


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_an_id_does_nothing_to_a_terminal(values: list[str]) -> None:
    """Whatever the values hold; and they are read again as they stand there."""
    labels = [written(value) for value in values]
    found = instance_id("s", labels)
    kinds = {unicodedata.category(char) for char in found if char not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert labels_of(found) == tuple(labels)


@given(st.lists(SCALARS, min_size=1, max_size=4))
def test_an_id_can_be_read_again(values: list[object]) -> None:
    """Whatever stands in the values."""
    labels = tuple(map(written, values))
    whole = instance_id("train", labels)
    assert labels_of(whole) == labels
    assert stage_of(whole) == "train"
    assert [piece.text for piece in pieces(whole[6:-1])] == list(labels)
    assert is_named(whole, whole)
    assert is_named("train", whole)


@given(st.lists(SCALARS, min_size=1, max_size=3), st.lists(SCALARS, min_size=1, max_size=3))
def test_different_values_have_different_ids(one: list[object], other: list[object]) -> None:
    """Also where commas and quotes stand in them."""
    same = list(map(label, one)) == list(map(label, other))
    assert (instance_id("s", map(written, one)) == instance_id("s", map(written, other))) is same


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("a", [Piece(text="a")]),
        ("a, 1", [Piece(text="a"), Piece(text="1")]),
        ("*,1", [Piece(text="*", is_all=True), Piece(text="1")]),
        ('"*"', [Piece(text='"*"', is_quoted=True)]),
        ('"a" , b', [Piece(text="a", is_quoted=True), Piece(text="b")]),
        ("a,", [Piece(text="a"), Piece(text="")]),
        ("", [Piece(text="")]),
    ],
)
def test_brackets_are_read(inside: str, expected: list[Piece]) -> None:
    """Values, quoted values, and the sign for all."""
    assert list(pieces(inside)) == expected


@pytest.mark.parametrize(
    ("inside", "fact"),
    [
        ("a*", "'a*' must stand in double quotes"),
        ("[a]", "'[a]' must stand in double quotes"),
        ('"a', "a double quote is not closed"),
        ('"a"b', "after a quoted value comes a comma, or the end"),
    ],
)
def test_broken_brackets_are_refused(inside: str, fact: str) -> None:
    """With the fact."""
    with pytest.raises(ValueError, match=re.escape(fact)):
        pieces(inside)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("train", True),
        ("train[a,1]", True),
        ("train[a]", True),
        ("train[a,*]", True),
        ("train[*,1]", True),
        ('train["a",1]', True),
        ("train[*]", True),
        ("train[b,*]", False),
        ("train[a,2]", False),
        ("train[a,1,x]", False),
        ("tune", False),
    ],
)
def test_what_a_text_names(text: str, names: bool) -> None:  # noqa: FBT001 - a table's column
    """The stage, the instance, or a part of its values."""
    assert is_named(text, "train[a,1]") is names


def test_of_one_parameter_the_whole_bracket_may_be_the_value() -> None:
    """As engines write it, without quotes."""
    assert is_named("s[a,b]", 's["a,b"]')
    assert split_id("s[a[1]]") == ("s", "a[1]")
    assert split_id("s") == ("s", None)


LABELS = st.sampled_from(["1", "2", "3"])
TABLES = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.tuples(*[LABELS] * width), min_size=1, unique=True)
)


@given(TABLES, st.dictionaries(st.sampled_from(["p0", "p1", "p2"]), LABELS))
def test_a_table_finds_what_a_search_would(
    rows: list[tuple[str, ...]], wanted: Mapping[str, str]
) -> None:
    """By any of the parameters, in the table's order."""
    names = [f"p{place}" for place in range(len(rows[0]))]
    asked = {name: value for name, value in wanted.items() if name in names}
    table = Table("s", names, [instance_id("s", row) for row in rows])
    expected = [
        instance_id("s", row)
        for row in rows
        if all(row[names.index(name)] == value for name, value in asked.items())
    ]
    assert list(table.matching(asked)) == expected


def test_a_stage_stands_for_the_instances_that_are_not_known() -> None:
    """Whatever is asked for."""
    table = Table("s", ["month"], ["s"])
    assert table.matching({"month": "3"}) == ("s",)
    assert Table("s", ["month"], []).matching({"month": "3"}) == ()
