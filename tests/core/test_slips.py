"""A word with one slip of the keys is told from another word."""

from __future__ import annotations

import pytest

from mlkit.core.slips import is_slip


@pytest.mark.parametrize("word", ["hidden", "Hidden", "hiddn", "hiddden", "hifden", "hidedn"])
def test_one_slip_is_a_slip(word: str) -> None:
    """A key too much, too little, wrongly, too early, or with the shift key."""
    assert is_slip(word, "hidden")


@pytest.mark.parametrize("word", ["hide", "hdiedn", "", "forbidden", "hidden-cell"])
def test_more_is_another_word(word: str) -> None:
    """Two slips at once are seldom; other words are often."""
    assert not is_slip(word, "hidden")
