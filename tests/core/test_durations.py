"""Durations as people write and read them."""

from __future__ import annotations

import pytest

from mlkit.core.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("500ms", 0.5), ("30s", 30.0), ("10m", 600.0), ("1h", 3600.0), ("2d", 172800.0)],
        *[(" 1.5 h ", 5400.0), ("7", 7.0), (7, 7.0), (0, 0.0), (0.25, 0.25), ("0s", 0.0)],
    ],
)
def test_a_duration_is_read(text: object, seconds: float) -> None:
    """A number with a unit, or seconds."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        *["", "s", "-1s", "1 week", "1h30m", "1e3s", "٣s", "9" * 400, "1.s", "inf"],
        *[-1, float("nan"), float("inf"), 10**400, True, None, [], {"s": 1}],
    ],
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    """With the value in the text."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(0, "0.0 s"), (0.44, "0.4 s"), (59.9, "59.9 s"), (59.97, "1 min 00 s")],
        *[(125, "2 min 05 s"), (3599.6, "1 h 00 min"), (3840, "1 h 04 min")],
    ],
)
def test_a_duration_is_written(seconds: float, text: str) -> None:
    """Rounded before the unit is chosen: never 60 seconds, never 60 minutes."""
    assert format_duration(seconds) == text
