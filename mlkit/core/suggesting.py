"""Suggest the word that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Suggest the known word nearest to a mistaken one; otherwise list a few that are known."""
    words = [str(item) for item in known]
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    if words and len(words) <= 16:
        return f"Known: {', '.join(words)}"
    return None
