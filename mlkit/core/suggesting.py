"""Suggest the word that was meant."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from itertools import takewhile

__all__ = ["did_you_mean", "nearest", "odd_blank"]

_UNSEEN = ("Zs", "Cf")
"""Blanks of other widths, and characters without any: text from a page or a chat brings them."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that a mistaken one was probably meant to be.

    Of words that share as much with it, one that begins alike is nearer: people slip late in a word
    rather than early (Winkler 1990). Capital letters make no difference.
    """
    by_letters: dict[str, str] = {}
    for item in known:
        by_letters.setdefault(item.casefold(), item)
    written = word.casefold()
    near = difflib.get_close_matches(written, by_letters, n=5, cutoff=0.6)
    return by_letters[max(near, key=lambda each: _likeness(written, each))] if near else None


def _likeness(word: str, other: str) -> float:
    """How much two words share, from 0 to 1; up to four letters of a common beginning add to it."""
    ratio = difflib.SequenceMatcher(None, other, word).ratio()
    begun = zip(word[:4], other[:4], strict=False)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], begun))
    return ratio + 0.1 * alike * (1 - ratio)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Suggest the known word nearest to a mistaken one; otherwise list a few that are known."""
    words = [str(item) for item in known]
    blank = odd_blank(word)
    near = nearest(word, words)
    if near is not None:
        return f"Did you mean '{near}'?" + (f" {blank} stands in what was written" if blank else "")
    if blank is not None:
        return f"{blank} stands in it: write a plain space, or none"
    if words and len(words) <= 16:
        return f"Known: {', '.join(words)}"
    return None


def odd_blank(text: str) -> str | None:
    """Name the first character that cannot be told from a blank, or from nothing, by looking."""
    for char in text:
        if char != " " and unicodedata.category(char) in _UNSEEN:
            return f"The invisible character U+{ord(char):04X}"
    return None
