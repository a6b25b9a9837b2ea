"""What the recorder makes of what it is told."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase, translate

from hypothesis import given
from hypothesis import strategies as st

from mlkit.inside.recorder import in_any_case

LETTERS = st.sampled_from(["a", "A", "b", "B", "é", "É", ".", "-", "1"])
NAMES = st.lists(LETTERS, max_size=5).map("".join)
PLAIN = st.lists(LETTERS | st.sampled_from(["*", "?"]), max_size=6).map("".join)
WITH_CHOICES = st.lists(LETTERS | st.sampled_from(["*", "?", "[", "]", "!"]), max_size=8).map(
    "".join
)


def matches_in_any_case(name: str, pattern: str) -> bool:
    """As `pathlib` does that is told so."""
    return re.compile(translate(pattern), re.IGNORECASE).match(name) is not None


@given(NAMES, PLAIN)
def test_a_pattern_in_any_case_matches_what_the_other_does(name: str, pattern: str) -> None:
    """No more and no less, where it has no choices of letters."""
    assert fnmatchcase(name, in_any_case(pattern)) == matches_in_any_case(name, pattern)


@given(NAMES, WITH_CHOICES)
def test_a_choice_in_any_case_leaves_no_name_out(name: str, pattern: str) -> None:
    """A name too many makes no result stale; one too few does."""
    assert not matches_in_any_case(name, pattern) or fnmatchcase(name, in_any_case(pattern))
