"""What mlkit's pictures share: every word can be read, light, dark and on paper."""

from __future__ import annotations

import re

import pytest

from mlkit.core.states import Status
from mlkit.reports.svg import document, picture_style

_VARIABLE = re.compile(r"--([\w-]+): (#[0-9a-f]{6})")
_TONE = re.compile(r"(.+) \{ --tone: var\(--([\w-]+)\); --wash: var\(--([\w-]+)\)")
_LEAST = 4.5
"""What WCAG 2.2 asks for at level AA (1.4.3)."""


def _palettes() -> list[dict[str, str]]:
    """The light one, the system's dark one, the page's dark one, and that of paper."""
    blocks = re.findall(r"\{([^{}]*--ink:[^{}]*)\}", picture_style())
    return [dict(_VARIABLE.findall(block)) for block in blocks]


def _brightness(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_brightness(one), _brightness(other)))
    return (high + 0.05) / (low + 0.05)


def _tones() -> dict[str, tuple[str, str]]:
    """The variables of each state: that of its words and bars, and that of its boxes."""
    found = {}
    for selectors, tone, wash in _TONE.findall(picture_style()):
        for state in re.findall(r"\.state-(\w+)", selectors):
            found[state] = (tone, wash)
    return found


def test_every_state_has_its_colours() -> None:
    """None looks like one that is not known."""
    assert {status.value for status in Status} <= set(_tones())


@pytest.mark.parametrize("palette", _palettes(), ids=["light", "dark", "page-dark", "paper"])
def test_every_word_can_be_read(palette: dict[str, str]) -> None:
    """In a box of its state, beside a bar, in one, and on an arrow."""
    pairs = {("ink", "paper"), ("faint", "paper"), ("cached", "paper"), ("paper", "bar")}
    for tone, wash in _tones().values():
        pairs |= {(tone, wash), ("ink", wash), ("faint", wash), (tone, "paper")}
    pairs |= {("ink", "running-bg"), ("faint", "running-bg")}
    low = {
        pair: round(found, 2)
        for pair in pairs
        if (found := _contrast(palette[pair[0]], palette[pair[1]])) < _LEAST
    }
    assert low == {}


def test_both_ways_to_be_dark_look_alike() -> None:
    """The system's and the page's own."""
    _, system, page, _ = _palettes()
    assert system == page


def test_a_picture_of_its_own_brings_its_paper() -> None:
    """In a dark system its words are light, and a browser's page for a picture is white."""
    alone, inline = (document("", (1, 1), "t", "d", styled=styled) for styled in (True, False))
    assert ":root.mlkit-picture { background: var(--paper); }" in alone
    assert "background" not in inline
