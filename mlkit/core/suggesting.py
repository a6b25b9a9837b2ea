"""Suggest the word that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that a mistaken one was probably meant to be."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Suggest the known word nearest to a mistaken one; otherwise list a few that are known."""
    words = [str(item) for item in known]
    near = nearest(word, words)
    if near is not None:
        return f"Did you mean '{near}'?"
    if words and len(words) <= 16:
        return f"Known: {', '.join(words)}"
    return None
