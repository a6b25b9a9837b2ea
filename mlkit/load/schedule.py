"""Read `schedule`, `timezone` and `overlap`: when a pipeline runs, on whose clock, how many."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from mlkit.core.every import EXAMPLES, parse_when
from mlkit.core.suggesting import did_you_mean
from mlkit.frozen import dataclass
from mlkit.load.section import Section

__all__ = ["ScheduleKeys", "UnknownZoneError", "find_zone", "read_schedule_keys"]

UTC = "UTC"


class UnknownZoneError(ValueError):
    """No time zone of that name is known.

    Parameters
    ----------
    name : str
        The name.
    """

    def __init__(self, name: str) -> None:
        import zoneinfo  # needed only where a zone is named, as below

        super().__init__(f"there is no time zone '{name}'")
        near = did_you_mean(name, sorted(zoneinfo.available_timezones()))
        self.remedy = near or "Give an IANA name such as Europe/Berlin"


def find_zone(name: str) -> dt.tzinfo:
    """Give a time zone by its IANA name.

    Raises
    ------
    UnknownZoneError
        If there is none of that name.
    """
    if name.upper() == UTC:
        return dt.UTC
    import zoneinfo  # seldom named, and not imported otherwise

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZoneError(name) from None


@dataclass(frozen=True, kw_only=True)
class ScheduleKeys:
    """What pipeline.yaml says of its schedule."""

    schedule: str | None
    timezone: str
    overlap: bool


def read_schedule_keys(
    top: Section, profiles: Iterable[Section], chosen: Section | None
) -> ScheduleKeys:
    """Read the three keys; the chosen profile's schedule stands in place of the pipeline's."""
    for section in (top, *profiles):
        text = section.text("schedule")
        if text is not None:
            try:
                parse_when(text)
            except ValueError as error:
                section.fail(
                    f"'schedule': {error}", section.line_of("schedule"), EXAMPLES, code="E106"
                )
    zone, overlap = top.text("timezone"), top.boolean("overlap")
    if zone is not None:
        try:
            find_zone(zone)
        except UnknownZoneError as error:
            top.fail(f"'timezone': {error}", top.line_of("timezone"), error.remedy, code="E106")
    own = None if chosen is None else chosen.text("schedule")
    return ScheduleKeys(
        schedule=own or top.text("schedule"), timezone=zone or UTC, overlap=bool(overlap)
    )
