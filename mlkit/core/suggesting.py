"""Suggest the word that was meant."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest", "odd_blank"]

_UNSEEN = ("Zs", "Cf")
"""Blanks of other widths, and characters without any: text from a page or a chat brings them."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that a mistaken one was probably meant to be."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


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
