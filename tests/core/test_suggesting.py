"""What is suggested for a mistaken word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlkit.core.pipeline_keys import KEYS
from mlkit.core.suggesting import did_you_mean, nearest

PLACES = sorted({key.place for key in KEYS})


def _slips(word: str) -> Iterator[str]:
    """A word in capitals, in the plural, with a letter left out, doubled, or a place too far on."""
    yield from (word.upper(), word.title(), f"{word}s", f"{word}es")
    if word.endswith("y"):
        yield f"{word[:-1]}ies"
    for at, letter in enumerate(word):
        yield word[:at] + word[at + 1 :]
        yield word[:at] + letter + word[at:]
        yield word[:at] + word[at + 1 : at + 2] + letter + word[at + 2 :]


@pytest.mark.parametrize("place", PLACES)
def test_a_slip_in_a_key_is_answered_with_the_key(place: str) -> None:
    """Whatever the slip, for each key of pipeline.yaml among those of its place."""
    names = [key.name for key in KEYS if key.place == place]
    wrong = [
        (slip, nearest(slip, names))
        for name in names
        if len(name) > 3
        for slip in _slips(name)
        if slip not in names and nearest(slip, names) != name
    ]
    assert wrong == []


def test_what_begins_alike_is_nearer() -> None:
    """`retries` shares as many letters with `metrics`, but who writes it means `retry`."""
    assert did_you_mean("retries", ["metrics", "retry"]) == "Did you mean 'retry'?"
    assert did_you_mean("ROWS", ["seed", "rows"]) == "Did you mean 'rows'?"


def test_what_is_like_nothing_is_not_forced_on_anybody() -> None:
    """A few known words are listed instead, many are not."""
    assert nearest("zebra", ["rows", "seed"]) is None
    assert did_you_mean("zebra", ["rows", "seed"]) == "Known: rows, seed"
    assert did_you_mean("zebra", map(str, range(20))) is None
