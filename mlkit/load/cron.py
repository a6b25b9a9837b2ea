"""Check a cron expression of five fields (POSIX crontab, with names and steps as in Vixie cron)."""

from __future__ import annotations

import re

__all__ = ["check_cron"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_ALIASES = frozenset(
    {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
)
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")


def check_cron(expression: str) -> None:
    """Refuse what is no cron expression.

    Raises
    ------
    ValueError
        Saying which field is wrong.
    """
    if expression.strip() in _ALIASES:
        return
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"'{expression}' has {len(fields)} fields, a cron expression has 5")
    for text, (title, low, high, names) in zip(fields, _FIELDS, strict=True):
        for part in text.split(","):
            if not _is_part(part, low, high, names):
                raise ValueError(f"'{part}' is no {title} ({low} to {high}) in '{expression}'")


def _is_part(part: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    match = _PART.fullmatch(part)
    if match is None or (match["step"] is not None and int(match["step"]) < 1):
        return False
    if match["first"] == "*":
        return match["last"] is None
    ends = [_number(match[key], low, names) for key in ("first", "last") if match[key] is not None]
    return all(end is not None and low <= end <= high for end in ends) and ends == sorted(
        end for end in ends if end is not None
    )


def _number(word: str, low: int, names: tuple[str, ...]) -> int | None:
    if word.isascii() and word.isdigit():
        return int(word)
    lowered = word.lower()
    return names.index(lowered) + low if lowered in names else None
