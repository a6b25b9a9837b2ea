"""Cron expressions of five fields (POSIX crontab, with names and steps as in Vixie cron)."""

from __future__ import annotations

import datetime as dt
import re

from mlkit.frozen import dataclass

__all__ = ["LONGEST", "Cron", "cron_fields", "parse_cron"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")
LONGEST = {month: 30 if month in (4, 6, 9, 11) else 31 for month in range(1, 13)} | {2: 29}
"""The days of each month, in a leap year."""


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A cron expression, read.

    Parameters
    ----------
    text : str
        As it was written.
    minutes, hours : tuple of int
        In order.
    days, months : frozenset of int
        Days of the month and months, from 1.
    weekdays : frozenset of int
        Sunday is 0, as cron counts.
    every_hour : bool
        Whether the hour begins with `*`: such a schedule follows real time where the clock jumps.
    either_day : bool
        Whether both kinds of day are named: then, as in cron, one of them is enough.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    every_hour: bool
    either_day: bool

    def matches(self, day: dt.date) -> bool:
        """Whether the schedule has a time on this day."""
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_month or by_week if self.either_day else by_month and by_week


def cron_fields(expression: str) -> list[str]:
    """Take a cron expression, or an alias such as `@daily`, apart into its fields."""
    return _ALIASES.get(expression.strip(), expression).split()


def parse_cron(expression: str) -> Cron:
    """Read a cron expression.

    Parameters
    ----------
    expression : str
        Five fields, or an alias such as `@daily`.

    Raises
    ------
    ValueError
        Saying which field is wrong, or that such a day never comes.
    """
    fields = cron_fields(expression)
    if len(fields) != len(_FIELDS):
        alias = f"@{expression.strip().lower()}"
        near = f" (did you mean '{alias}'?)" if alias in _ALIASES else ""
        raise ValueError(f"'{expression}' has {len(fields)} fields, a cron expression has 5{near}")
    minutes, hours, days, months, weekdays = (
        _numbers(text, place, expression) for place, text in enumerate(fields)
    )
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    if not either and all(min(days) > LONGEST[month] for month in months):
        raise ValueError(f"'{expression}' never comes: no such month has a day {min(days)}")
    return Cron(
        text=expression.strip(),
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(number % 7 for number in weekdays),
        every_hour=fields[1].startswith("*"),
        either_day=either,
    )


def _numbers(text: str, place: int, expression: str) -> set[int]:
    """Every number that one field names."""
    title, low, high, _ = _FIELDS[place]
    found: set[int] = set()
    for part in text.split(","):
        numbers = _part(part, place)
        if numbers is None:
            raise ValueError(f"'{part}' is no {title} ({low} to {high}) in '{expression}'")
        found.update(numbers)
    return found


def _part(part: str, place: int) -> range | None:
    """The numbers of one part of a list; None if it is none."""
    _, low, high, names = _FIELDS[place]
    match = _PART.fullmatch(part)
    step = int(match["step"] or 1) if match is not None else 0
    if match is None or step < 1 or (match["first"] == "*" and match["last"] is not None):
        return None
    if match["first"] == "*":
        return range(low, min(high, 6 if names is _DAYS else high) + 1, step)
    first = _number(match["first"], low, names)
    last = _number(match["last"] or match["first"], low, names)
    if first is None or last is None or not low <= first <= last <= high:
        return None
    open_ended = match["step"] is not None and match["last"] is None
    return range(first, (high if open_ended else last) + 1, step)


def _number(word: str, low: int, names: tuple[str, ...]) -> int | None:
    if word.isascii() and word.isdigit():
        return int(word)
    lowered = word.lower()
    return names.index(lowered) + low if lowered in names else None
