"""Whether a word is another one with a slip of the keys in it. Pure."""

from __future__ import annotations

__all__ = ["is_slip"]


def is_slip(word: str, known: str) -> bool:
    """Whether one key was hit too much, too little, wrongly or too early, or the case is another.

    More is no slip: httpx has a ConnectError, and Python a ConnectionError.
    """
    if word.lower() == known.lower():
        return True
    start = next((at for at, pair in enumerate(zip(word, known)) if len(set(pair)) > 1), None)  # noqa: B905 - one may be longer
    start = min(len(word), len(known)) if start is None else start
    left, right = word[start:], known[start:]
    return (
        left[1:] == right[1:]
        or left[1:] == right
        or left == right[1:]
        or (left[:2] == right[:2][::-1] and left[2:] == right[2:])
    )
