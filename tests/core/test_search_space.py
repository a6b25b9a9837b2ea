"""Ranges as they are written, and what is wrong with others."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.search_space import Choices, Domain, Range, RangeError, domain_of, read_range


@pytest.mark.parametrize(
    ("text", "is_int", "found"),
    [
        ("2..12", True, Range(low=2, high=12, is_int=True)),
        ("1e-4..1e-1 log", False, Range(low=1e-4, high=1e-1, log=True)),
        (" 100..1000  step 50 ", True, Range(low=100, high=1000, is_int=True, step=50)),
        ("-1..1", False, Range(low=-1, high=1)),
        ("0...5", False, Range(low=0, high=0.5)),
        ("1_000..2e3", True, Range(low=1000, high=2000, is_int=True)),
        ("3", True, None),
        ("0.5", False, None),
    ],
)
def test_a_range_is_read(text: str, is_int: bool, found: Range | None) -> None:  # noqa: FBT001 - a case
    """Whole numbers are whole; what has no two dots is something else."""
    assert read_range(text, is_int=is_int) == found


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("1..", "the high end of the range is missing"),
        ("..5", "the low end of the range is missing"),
        ("5..1", "is empty"),
        ("2..2", "is empty"),
        ("0..1 log", "above 0"),
        ("1..9 logarithmic", "is no range"),
        ("1..9 log step 2", "is no range"),
        ("a..b", "no number: 'a'"),
        ("1..inf", "is inf"),
        ("1.5..3", "whole numbers are asked for"),
        ("1..9 step 0", "does not fit"),
        ("1..9 step 20", "does not fit"),
        ("1..2..3", "no number"),
    ],
)
def test_what_is_wrong_with_a_range_is_told(text: str, fact: str) -> None:
    """By the end, or the word, that it is about."""
    with pytest.raises(RangeError, match=fact):
        read_range(text, is_int=True)


@given(
    st.one_of(
        st.builds(Range, low=st.integers(0, 5), high=st.floats(6, 9), log=st.booleans()),
        st.builds(
            Choices,
            values=st.lists(st.one_of(st.none(), st.booleans(), st.text()), min_size=1).map(tuple),
        ),
    )
)
def test_a_domain_survives_its_file(domain: Domain) -> None:
    """As JSON."""
    assert domain_of(json.loads(json.dumps(domain.to_json()))) == domain


@pytest.mark.parametrize(
    ("text", "is_int", "size"),
    [
        ("2..12", True, 11),
        ("0..1 step 0.1", False, 11),
        ("0..10 step 3", True, 4),
        ("0..1", False, math.inf),
    ],
)
def test_a_range_knows_how_many_values_it_has(text: str, is_int: bool, size: float) -> None:  # noqa: FBT001 - a case
    """Both ends count; between numbers there is always another one."""
    found = read_range(text, is_int=is_int)
    assert found is not None
    assert found.size == size
