"""When a schedule comes: a cron expression, or a span of real time (`every 6h`)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

from mlkit.core.cron import Cron, parse_cron
from mlkit.core.durations import parse_duration
from mlkit.frozen import dataclass

__all__ = ["EXAMPLES", "Every", "parse_when"]

EXAMPLES = (
    'Write a cron expression of five fields, such as "0 2 * * *", or a span, such as every 6h'
)
"""The remedy for what is neither."""

_WORD = re.compile(r"every\s+(?P<span>\S.*)", re.IGNORECASE)
_LEAST, _MOST = 60, 366 * 86_400
_EPOCH = dt.datetime(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Every:
    """A schedule that comes whenever so much real time has passed since 1970 began.

    A clock that jumps moves its times on the wall, not the time between them.

    Parameters
    ----------
    text : str
        As it was written.
    period : timedelta
        Whole seconds, a minute at least.
    """

    text: str
    period: dt.timedelta

    def ticks(
        self, zone: dt.tzinfo, start: dt.datetime, stop: dt.datetime
    ) -> Iterator[dt.datetime]:
        """Give its times from `start` on and before `stop`, in UTC.

        They are counted from the zone's midnight of 1 January 1970, so that `every 6h` comes at
        midnight where the clock stands as it did then.
        """
        origin = _EPOCH.replace(tzinfo=zone).astimezone(dt.UTC)
        passed = -((origin - start) // self.period)
        moment = origin + passed * self.period
        while moment < stop:
            yield moment
            moment += self.period


def parse_when(text: str) -> Cron | Every:
    """Read a schedule.

    Parameters
    ----------
    text : str
        Five fields of cron, an alias such as `@daily`, or `every` and a duration.

    Raises
    ------
    ValueError
        Saying what is wrong with it.
    """
    found = _WORD.fullmatch(text.strip())
    if found is None:
        return parse_cron(text)
    try:
        seconds = parse_duration(found["span"].strip())
    except ValueError as error:
        raise ValueError(f"'{text}': {error}") from None
    if not _LEAST <= seconds <= _MOST or seconds != int(seconds):
        raise ValueError(f"'{text}' is not whole seconds from a minute to a year")
    return Every(text=text.strip(), period=dt.timedelta(seconds=int(seconds)))
