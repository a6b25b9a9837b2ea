"""A pipeline's schedule as an engine keeps it at the very same times, or why it cannot. Pure."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mlkit.core.cron import LONGEST, Cron, cron_fields
from mlkit.core.every import Every, parse_when
from mlkit.core.intervals import Schedule, ticks
from mlkit.core.pipeline import Pipeline
from mlkit.engines.refusals import Refusal
from mlkit.engines.registry import Engine

__all__ = ["as_cron", "other_schedules", "plain_cron", "with_cron"]

_DAY = dt.timedelta(days=1)
_HOUR = dt.timedelta(hours=1)
_MINUTE = dt.timedelta(minutes=1)
_WATCHED = (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2036, 1, 1, tzinfo=dt.UTC))
"""The changes of the clock in these years stand for those of all."""


_SIZES = (60, 24, 31, 12, 7)
_ALIKE = re.compile(r"\*|(?P<first>\w+)-(?!(?P=first)$)\w+|\w+(,\w+)*", re.ASCII)
_STEPS = re.compile(r"\*/(\d+)", re.ASCII)


def with_cron(pipeline: Pipeline, engine: Engine) -> Pipeline:
    """Write a schedule as an engine takes it: as cron that it reads as mlkit does."""
    if pipeline.schedule is None:
        return pipeline
    when = parse_when(pipeline.schedule)
    if isinstance(when, Cron):
        return replace(pipeline, schedule=plain_cron(when))
    if engine.takes_spans:
        return pipeline
    return replace(pipeline, schedule=as_cron(when, pipeline.timezone), timezone="UTC")


def plain_cron(cron: Cron) -> str | None:
    """Write a cron expression so that every tool reads it as cron does.

    Tools differ in what a step makes of the two kinds of day, in whether 7 is a Sunday, and in what
    a range of one number and a day that never comes are. A field that is the same to all of them
    stays as it was written; another becomes a list of numbers.

    Returns
    -------
    str or None
        None if it asks for a day of the month that is a given day of the week as well.
    """
    fields = cron_fields(cron.text)
    if len(cron.text.split()) == 1:
        return cron.text  # an alias
    coming = {day for day in cron.days if any(day <= LONGEST[month] for month in cron.months)}
    parts: list[Iterable[int]] = [
        *(cron.minutes, cron.hours, coming),
        *(cron.months, cron.weekdays),
    ]
    every = [len(set(part)) == size for part, size in zip(parts, _SIZES, strict=True)]
    if cron.either_day:
        every[2] = every[4] = every[2] or every[4]
        every[2] |= not coming
    elif not every[2] and not every[4]:
        return None
    return " ".join(
        "*" if every[place] else _field(place, fields[place].lower(), parts[place])
        for place in range(len(fields))
    )


def _field(place: int, written: str, numbers: Iterable[int]) -> str:
    """A field as it was written, if all tools read it so; otherwise its numbers."""
    steps = _STEPS.fullmatch(written)
    alike = (
        place < 2 and int(steps[1]) < _SIZES[place]
        if steps is not None
        else _ALIKE.fullmatch(written) and not (place == 4 and "7" in written)
    )
    return written if alike else ",".join(map(str, sorted(numbers)))


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
        if not engine.takes_spans and as_cron(when, zone) is None:
            yield _refusal(
                f"its schedule '{when.text}' is no cron expression, and does not fit into a day"
            )
        return
    if plain_cron(when) is None:
        yield _refusal(
            f"its schedule '{when.text}' asks for days of the month that are given days of the "
            "week as well, and it takes either"
        )
    jumps = list(_jumps(zoneinfo.ZoneInfo(zone)))
    if zone.upper() != "UTC" and engine.clock == "utc":
        yield _refusal(f"its schedule follows the clock of {zone}, and it knows that of UTC only")
    elif jumps and engine.clock == "daily" and len(when.hours) * len(when.minutes) > 1:
        yield _refusal(
            f"its schedule '{when.text}' comes several times a day on the clock of {zone}, which "
            "it would keep otherwise on a day on which that clock jumps"
        )
    elif odd := next((jump for jump in jumps if _differs(when, zone, jump, engine)), None):
        yield _refusal(
            f"its schedule '{when.text}' comes where the clock of {zone} jumps, as on "
            f"{odd.date()}, and it would come twice there or not at all, or at another time"
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


def _differs(cron: Cron, zone_name: str, jump: dt.datetime, engine: Engine) -> bool:
    """Whether an engine comes at other times than mlkit on the days around a jump."""
    zone = zoneinfo.ZoneInfo(zone_name)
    if not _as_read(cron, zone, jump):
        return True
    if engine.clock == "hourly" and len(cron.hours) == 24:
        return bool(_jumps_by(zone, jump) % _HOUR)
    return engine.clock in ("outside", "hourly") and _in_the_jump(cron, zone, jump)


def _as_read(cron: Cron, zone: dt.tzinfo, jump: dt.datetime) -> bool:
    """Whether a clock that is read minute by minute gives the times of mlkit."""
    start, stop = jump - _DAY, jump + 2 * _DAY
    mine = [t.astimezone(dt.UTC) for t in ticks(Schedule(when=cron, zone=zone), start, stop)]
    read, moment = [], start
    while moment < stop:
        wall = moment.astimezone(zone)
        if wall.hour in cron.hours and wall.minute in cron.minutes and cron.matches(wall.date()):
            read.append(moment)
        moment += _MINUTE
    return mine == read


def _jumps_by(zone: dt.tzinfo, jump: dt.datetime) -> dt.timedelta:
    before, after = ((jump + days * _DAY).astimezone(zone).utcoffset() for days in (0, 1))
    assert before is not None
    assert after is not None
    return after - before


def _in_the_jump(cron: Cron, zone: dt.tzinfo, jump: dt.datetime) -> bool:
    """Whether a time of the schedule is left out by the clock, or shown twice."""
    days = (jump.astimezone(zone).date() + n * _DAY for n in (-1, 0, 1))
    walls = (
        dt.datetime.combine(day, dt.time(hour, minute), zone)
        for day in days
        if cron.matches(day)
        for hour in cron.hours
        for minute in cron.minutes
    )
    return any(wall.utcoffset() != wall.replace(fold=1).utcoffset() for wall in walls)
