"""The intervals of a schedule: from each of its times to the next. Pure: no clock is read.

A schedule's times are wall-clock times of a time zone. Where the clock jumps, the rules are cron's:

- an hour that is named (`0 2 * * *`) comes once a day: a time that the clock leaves out is taken by
  as much later as the clock jumps, one that comes twice is taken the first time;
- an hour that begins with `*` follows real time: an hour that is left out is left out, and one that
  comes twice is taken twice.

A schedule of real time (`every 6h`) does not mind how the clock jumps.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from mlkit.core.cron import Cron
from mlkit.core.every import Every
from mlkit.frozen import dataclass

__all__ = [
    "Interval",
    "Schedule",
    "belongs",
    "in_zone",
    "intervals",
    "last_interval",
    "next_tick",
    "previous_tick",
    "ticks",
]

_DAY = dt.timedelta(days=1)
_INSTANT = dt.timedelta(microseconds=1)
_HORIZON = dt.timedelta(days=365 * 60)
"""No schedule waits longer: 29 February falls on a given day of the week every 40 years at most."""
_EASTERNMOST = dt.timedelta(hours=15)
_LOOKS_BACK = (
    dt.timedelta(hours=2),
    dt.timedelta(days=2),
    dt.timedelta(days=10),
    dt.timedelta(days=70),
    dt.timedelta(days=400),
    dt.timedelta(days=1500),
    _HORIZON,
)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A cron expression on the clock of a time zone, or a span of real time.

    Parameters
    ----------
    when : Cron or Every
        When.
    zone : tzinfo
        On whose clock.
    """

    when: Cron | Every
    zone: dt.tzinfo = dt.UTC

    def __str__(self) -> str:
        """The expression and the zone."""
        return f"{self.when.text} ({self.zone})"


@dataclass(frozen=True, kw_only=True, order=True)
class Interval:
    """The time from one of a schedule's times to the next; its run starts at the end.

    Parameters
    ----------
    start, end : datetime
        Aware; the start is the `logical_date` of the interval's run.
    """

    start: dt.datetime
    end: dt.datetime

    def to_json(self) -> dict[str, str]:
        """The interval as JSON."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Interval:
        """Undo `to_json`."""
        return cls(
            start=dt.datetime.fromisoformat(data["start"]),
            end=dt.datetime.fromisoformat(data["end"]),
        )

    def __str__(self) -> str:
        """The interval as people read it, midnights as dates."""
        return f"{_short(self.start)} → {_short(self.end)}"


def _short(moment: dt.datetime) -> str:
    if moment.time() == dt.time.min:
        return moment.date().isoformat()
    return moment.isoformat(" ", "minutes")[:16]


def in_zone(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Write a moment as the clock of a zone shows it, with its offset.

    The offset is fixed, so that such moments are compared and hashed as instants.
    """
    local = moment.astimezone(zone)
    return local.replace(tzinfo=dt.timezone(local.utcoffset() or dt.timedelta()), fold=0)


def ticks(schedule: Schedule, start: dt.datetime, stop: dt.datetime) -> Iterator[dt.datetime]:
    """Give a schedule's times from `start` on and before `stop`, in order.

    Parameters
    ----------
    schedule : Schedule
        The schedule.
    start, stop : datetime
        Aware.

    Yields
    ------
    datetime
        As the zone's clock shows it, with its offset.
    """
    when = schedule.when
    if isinstance(when, Every):
        yield from (
            in_zone(moment, schedule.zone) for moment in when.ticks(schedule.zone, start, stop)
        )
        return
    pending: set[dt.datetime] = set()
    day = (start.astimezone(dt.UTC) - 2 * _DAY).date()
    while True:
        pending.update(_instants(when, schedule.zone, day))
        day += _DAY
        settled = dt.datetime.combine(day, dt.time.min, dt.UTC) - _EASTERNMOST
        ready = sorted(moment for moment in pending if moment < min(settled, stop))
        pending.difference_update(ready)
        yield from (in_zone(moment, schedule.zone) for moment in ready if moment >= start)
        if settled >= stop:
            return


def _instants(cron: Cron, zone: dt.tzinfo, day: dt.date) -> Iterator[dt.datetime]:
    """The times of one day of the zone's calendar, in UTC."""
    if not cron.matches(day):
        return
    midnight = dt.datetime.combine(day, dt.time.min)
    walls = (
        midnight + dt.timedelta(hours=hour, minutes=minute)
        for hour in cron.hours
        for minute in cron.minutes
    )
    offset = midnight.replace(tzinfo=zone).utcoffset() or dt.timedelta()
    if offset == (midnight + _DAY).replace(tzinfo=zone, fold=1).utcoffset():
        yield from ((wall - offset).replace(tzinfo=dt.UTC) for wall in walls)
        return
    for wall in walls:
        yield from _around_a_jump(cron, wall, zone)


def _around_a_jump(cron: Cron, wall: dt.datetime, zone: dt.tzinfo) -> Iterator[dt.datetime]:
    """What a time of a day stands for on which the clock jumps: no moment, one, or two."""
    first = wall.replace(tzinfo=zone).astimezone(dt.UTC)
    exists = first.astimezone(zone).replace(tzinfo=None, fold=0) == wall
    if exists or not cron.every_hour:
        yield first
    if exists and cron.every_hour:
        yield wall.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)


def next_tick(schedule: Schedule, after: dt.datetime) -> dt.datetime:
    """Give a schedule's first time after a moment."""
    return next(ticks(schedule, after + _INSTANT, after + _HORIZON))


def previous_tick(schedule: Schedule, at: dt.datetime) -> dt.datetime:
    """Give a schedule's last time before a moment, or the moment itself if it is one."""
    for span in _LOOKS_BACK:
        found = list(ticks(schedule, at - span, at + _INSTANT))
        if found:
            return found[-1]
    raise ValueError(f"'{schedule}' had no time before {at}")


def intervals(schedule: Schedule, start: dt.datetime, stop: dt.datetime) -> Iterator[Interval]:
    """Give the intervals that begin from `start` on and before `stop`, in order.

    Each ends where the next begins.
    """
    before: dt.datetime | None = None
    for moment in ticks(schedule, start, stop + _HORIZON):
        if before is not None:
            yield Interval(start=before, end=moment)
        if moment >= stop:
            return
        before = moment


def last_interval(schedule: Schedule, now: dt.datetime) -> Interval:
    """Give the last interval that is over."""
    end = previous_tick(schedule, now)
    return Interval(start=previous_tick(schedule, end - _INSTANT), end=end)


def belongs(schedule: Schedule, interval: Interval) -> bool:
    """Whether an interval is one of the schedule's."""
    return previous_tick(schedule, interval.start) == interval.start and (
        next_tick(schedule, interval.start) == interval.end
    )
