"""A pipeline's schedule, and spans of time, as people write them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from mlkit.core.every import EXAMPLES, parse_when
from mlkit.core.intervals import Schedule
from mlkit.core.pipeline import Pipeline
from mlkit.errors import UsageError
from mlkit.load.schedule import UnknownZoneError, find_zone

__all__ = ["read_schedule", "read_span"]

_YEARS = (1900, 2199)


def read_schedule(
    pipeline: Pipeline, expression: str | None = None, timezone: str | None = None
) -> Schedule:
    """Give a pipeline's schedule, or another on its behalf.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    expression : str, optional
        A cron expression, or `every 6h`, in place of the pipeline's own.
    timezone : str, optional
        The zone whose clock it follows, such as `Europe/Berlin`, in place of the pipeline's own.

    Raises
    ------
    UsageError
        If there is no schedule, or the expression or the zone is invalid.
    """
    text = expression if expression is not None else pipeline.schedule
    if text is None:
        raise UsageError(
            "the pipeline has no schedule",
            Path(pipeline.file),
            remedy='Add one, such as schedule: "0 2 * * *"',
            code="E106",
        )
    try:
        when = parse_when(text)
    except ValueError as error:
        raise UsageError(f"--schedule: {error}", remedy=EXAMPLES, code="E106") from None
    try:
        zone = find_zone(pipeline.timezone if timezone is None else timezone)
    except UnknownZoneError as error:
        raise UsageError(str(error), remedy=error.remedy, code="E106") from None
    return Schedule(when=when, zone=zone)


def read_span(first: str, last: str, zone: dt.tzinfo) -> tuple[dt.datetime, dt.datetime]:
    """Read the two ends of a span; a date as an end includes its whole day.

    Parameters
    ----------
    first, last : str
        ISO dates or datetimes; without an offset they are of the zone.
    zone : tzinfo
        The schedule's zone.

    Returns
    -------
    tuple of datetime
        The start, and the first moment after the span.
    """
    start, _ = _moment(first, zone, "--from")
    end, whole_day = _moment(last, zone, "--to")
    if end < start:
        raise UsageError(
            f"--to {last} lies before --from {first}", remedy="Exchange them", code="E106"
        )
    if whole_day:
        return start, dt.datetime.combine(
            end.date() + dt.timedelta(days=1), dt.time.min, zone
        ).astimezone(dt.UTC)
    return start, end + dt.timedelta(microseconds=1)


def _moment(text: str, zone: dt.tzinfo, option: str) -> tuple[dt.datetime, bool]:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise UsageError(
            f"{option} {text}: this is no date from {_YEARS[0]} to {_YEARS[1]}",
            remedy=f"Write {option} 2013-01-01, or {option} 2013-01-01T06:00",
            code="E106",
        )
    is_date = len(text.strip()) <= len("2013-01-01")
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)), is_date
