"""A pipeline's schedule as an engine keeps it at the very same times, or why it cannot. Pure."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import replace

from mlkit.core.cron import Cron
from mlkit.core.every import Every, parse_when
from mlkit.core.intervals import Schedule, ticks
from mlkit.core.pipeline import Pipeline
from mlkit.engines.refusals import Refusal
from mlkit.engines.registry import Engine

__all__ = ["as_cron", "other_schedules", "with_cron"]

_DAY = dt.timedelta(days=1)
_MINUTE = dt.timedelta(minutes=1)
_WATCHED = (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2036, 1, 1, tzinfo=dt.UTC))
"""The changes of the clock in these years stand for those of all."""


def with_cron(pipeline: Pipeline) -> Pipeline:
    """Write a schedule that an engine takes as a cron expression, on the clock it follows."""
    if pipeline.schedule is None:
        return pipeline
    when = parse_when(pipeline.schedule)
    if isinstance(when, Cron):
        return pipeline
    return replace(pipeline, schedule=as_cron(when, pipeline.timezone), timezone="UTC")


def as_cron(every: Every, timezone: str) -> str | None:
    """Write a span of real time that fits into a day a whole number of times as cron in UTC.

    None if it does not, or if no one expression names its times.
    """
    start = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    if _DAY % every.period or every.period % _MINUTE:
        return None
    times = list(every.ticks(zoneinfo.ZoneInfo(timezone), start, start + _DAY))
    hours, minutes = ({t.hour for t in times}, {t.minute for t in times})
    if len(hours) * len(minutes) != len(times) or any(t.second for t in times):
        return None
    said = (",".join(map(str, sorted(part))) for part in (minutes, hours))
    minute, hour = said
    return f"{minute} {'*' if len(hours) == 24 else hour} * * *"


def other_schedules(pipeline: Pipeline, engine: Engine) -> Iterator[Refusal]:
    """Name what an engine would make another schedule of."""
    if pipeline.schedule is None:
        return
    when, zone = parse_when(pipeline.schedule), pipeline.timezone
    if isinstance(when, Every):
        if as_cron(when, zone) is None:
            yield _refusal(
                f"its schedule '{when.text}' is no cron expression, and does not fit into a day"
            )
        return
    jumps = list(_jumps(zoneinfo.ZoneInfo(zone)))
    if zone.upper() != "UTC" and engine.clock == "utc":
        yield _refusal(f"its schedule follows the clock of {zone}, and it knows that of UTC only")
    elif jumps and engine.clock == "daily" and len(when.hours) * len(when.minutes) > 1:
        yield _refusal(
            f"its schedule '{when.text}' comes several times a day on the clock of {zone}, which "
            "it would keep otherwise on a day on which that clock jumps"
        )
    elif odd := next((jump for jump in jumps if _differs(when, zone, jump)), None):
        yield _refusal(
            f"its schedule '{when.text}' comes where the clock of {zone} jumps, as on "
            f"{odd.date()}, and it would come twice there or not at all"
        )


def _refusal(fact: str) -> Refusal:
    return Refusal(
        stage=None,
        fact=fact,
        remedy="Keep that schedule by 'mlkit serve', or give the engine another one, or one in UTC",
    )


def _jumps(zone: dt.tzinfo) -> Iterator[dt.datetime]:
    """The days on which a clock jumps."""
    day, end = _WATCHED
    while day < end:
        if day.astimezone(zone).utcoffset() != (day + _DAY).astimezone(zone).utcoffset():
            yield day
        day += _DAY


def _differs(cron: Cron, zone_name: str, jump: dt.datetime) -> bool:
    """Whether a clock that is read minute by minute gives other times than mlkit's."""
    zone = zoneinfo.ZoneInfo(zone_name)
    start, stop = jump - _DAY, jump + 2 * _DAY
    mine = [t.astimezone(dt.UTC) for t in ticks(Schedule(when=cron, zone=zone), start, stop)]
    read, moment = [], start
    while moment < stop:
        wall = moment.astimezone(zone)
        if wall.hour in cron.hours and wall.minute in cron.minutes and cron.matches(wall.date()):
            read.append(moment)
        moment += _MINUTE
    return mine != read
