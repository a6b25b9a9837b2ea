"""Durations as people write them: `500ms`, `30s`, `10m`, `1h`, or seconds as a number."""

from __future__ import annotations

import math
import re

__all__ = ["format_duration", "parse_duration"]

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 1e9
"""Thirty years: what is longer is a slip, and no clock can wait for it."""

_PATTERN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)?")


def parse_duration(value: object) -> float:
    """Read a duration.

    Parameters
    ----------
    value : str, int or float
        `"500ms"`, `"30s"`, `"10m"`, `"1h"`, `"30d"`, or a number of seconds.

    Returns
    -------
    float
        Seconds, not negative and at most thirty years.

    Raises
    ------
    ValueError
        If the value is no duration.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a duration")
    if isinstance(value, str):
        match = _PATTERN.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{value!r} is not a duration")
        seconds = float(match[1]) * _SECONDS[match[2] or "s"]
    else:
        seconds = float(value) if abs(value) <= _LONGEST_S else math.inf
    if not 0 <= seconds <= _LONGEST_S:
        raise ValueError(f"{value!r} is not a duration")
    return seconds


def format_duration(seconds: float) -> str:
    """Write a number of seconds for people: `0.4 s`, `12.3 s`, `2 min 05 s`, `1 h 04 min`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
