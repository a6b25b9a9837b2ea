"""When something was handed in, when it was due, and what being late costs. Pure, but for "today".

Times without a zone are of the zone that the teacher names, else of this computer's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from mlkit.core.durations import format_duration, parse_duration
from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.classroom.roster import Roster
from mlkit.grading.tables import did_you_mean, read_table

__all__ = [
    "Deadlines",
    "LateRule",
    "lateness_text",
    "parse_due",
    "parse_dues",
    "parse_late_rule",
    "parse_time",
    "parse_zone",
    "read_extensions",
    "read_times",
]

FORMATS = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d_%H-%M-%S", "%Y-%m-%d-%H-%M-%S"),
    *("%b %d, %Y %I%M %p", "%B %d, %Y %I%M %p", "%d %b, %Y %I%M %p", "%d %B, %Y %I%M %p"),
    # Moodle's grading worksheet, with and without the name of the day.
    *("%A, %d %B %Y, %I:%M %p", "%d %B %Y, %I:%M %p", "%A, %B %d, %Y, %I:%M %p"),
    *("%Y%m%d%H%M%S", "%Y%m%d-%H%M%S", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M"),
)
RULE = re.compile(
    r"(?P<part>\d+(?:[.,]\d+)?)\s*%(?:\s*(?:/|per |a |an )\s*(?P<unit>hour|day|week))?"
    r"(?:,?\s*(?:up to|at most|max)\s*(?P<most>\d+(?:[.,]\d+)?)\s*%)?"
)
UNITS = {"hour": 3600.0, "day": 86400.0, "week": 604800.0}


@dataclass(frozen=True, kw_only=True)
class LateRule:
    """What being late costs, as a share of the points earned.

    Parameters
    ----------
    share : float
        Taken off for every unit that was begun; 1 takes all.
    unit_s : float
        The unit; 0: once, however late.
    most : float
        The most that is taken off.
    grace_s : float
        How late is not late yet.
    text : str
        The rule as it was given.
    """

    share: float = 0.0
    unit_s: float = 0.0
    most: float = 1.0
    grace_s: float = 0.0
    text: str = "none"

    def off(self, late_s: float) -> float:
        """The share that is taken off, from 0 to 1."""
        if late_s <= self.grace_s:
            return 0.0
        units = 1 if not self.unit_s else math.ceil(late_s / self.unit_s)
        return round(min(self.share * units, self.most, 1.0), 6)


def parse_late_rule(text: str, grace: str = "0s") -> LateRule:
    """Read a rule: `none`, `zero`, `10%`, `10% per day`, `2%/hour up to 50%`.

    Raises
    ------
    GradingError
        If it is none.
    """
    try:
        grace_s = parse_duration(grace)
    except ValueError as error:
        raise GradingError(
            f"--grace: {error}", remedy="Write 10m, 2h or 1d.", code="E807"
        ) from error
    plain = text.strip().casefold()
    if plain in ("none", ""):
        return LateRule(grace_s=grace_s)
    if plain == "zero":
        return LateRule(share=1.0, grace_s=grace_s, text=plain)
    match = RULE.fullmatch(plain)
    if match is None:
        raise GradingError(
            f"{text!r} is no rule for what is late",
            remedy="Write none, zero, '10%', '10% per day' or '2% per hour up to 50%'.",
            code="E807",
        )
    share, most = (float((match[g] or "100").replace(",", ".")) / 100 for g in ("part", "most"))
    if share > 1 or most > 1:
        raise GradingError(
            f"{text!r} takes off more than there is", remedy="100% is all.", code="E807"
        )
    unit_s = UNITS[match["unit"]] if match["unit"] else 0.0
    return LateRule(share=share, unit_s=unit_s, most=most, grace_s=grace_s, text=plain)


def parse_zone(name: str | None) -> tzinfo | None:
    """A time zone by its name (`Europe/Berlin`); None is this computer's."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise GradingError(
            f"there is no time zone {name!r}",
            remedy="Write one as Europe/Berlin or UTC.",
            code="E807",
        ) from error


def parse_time(text: str, zone: tzinfo | None = None) -> datetime | None:
    """A time as platforms write it, with its zone; None if it is not understood."""
    plain = re.sub(r"\s+", " ", text.strip().replace("Sept ", "Sep "))
    named = re.fullmatch(r"(.+) ([A-Za-z_]+/[A-Za-z_+/-]+)", plain)
    if named is not None:  # nbgrader: 2015-02-02 14:58:23 America/Los_Angeles
        try:
            zone, plain = ZoneInfo(named[2]), named[1]
        except (KeyError, ValueError, OSError):
            return None
    plain = re.sub(r"\b(UTC|UCT|GMT|Z)$", "+00:00", plain)
    plain = re.sub(r"\s+([+-]\d\d:?\d\d)$", r"\1", plain)
    if not re.search(r"\d", plain):
        return None
    for read in (datetime.fromisoformat, *(_reader(form) for form in FORMATS)):
        try:
            return _zoned(read(plain), zone)
        except (ValueError, OverflowError, OSError):
            continue
    return None


def _reader(form: str):  # type: ignore[no-untyped-def]  # a function from text to datetime
    return lambda text: datetime.strptime(text, form)


def _zoned(moment: datetime, zone: tzinfo | None) -> datetime:
    if moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=zone) if zone is not None else moment.astimezone()


def parse_due(text: str, zone: tzinfo | None = None) -> datetime:
    """A deadline; a date alone means the end of that day.

    Raises
    ------
    GradingError
        If it is none.
    """
    moment = parse_time(text, zone)
    if moment is None:
        raise GradingError(
            f"{text!r} is no time",
            remedy="Write 2026-10-01, 2026-10-01T23:59 or 2026-10-01T23:59+02:00.",
            code="E807",
        )
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()):
        last = datetime.combine(moment.date(), time(23, 59, 59))
        return _zoned(last, zone)
    return moment


def parse_dues(
    given: Sequence[str], exercises: Sequence[str], zone: tzinfo | None = None
) -> dict[str, datetime]:
    """Deadlines as options give them: `TIME` for all exercises, `EXERCISE=TIME` for one.

    Raises
    ------
    GradingError
        If there is no such exercise, or it is no time.
    """
    dues: dict[str, datetime] = {}
    for text in given:
        exercise, _, moment = text.rpartition("=")
        if exercise and exercise not in exercises:
            raise GradingError(
                f"there is no exercise {exercise!r}",
                remedy=did_you_mean(exercise, exercises),
                code="E801",
            )
        dues[exercise] = parse_due(moment, zone)
    return dues


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """When things are due.

    Parameters
    ----------
    by_exercise : Mapping
        Exercise → time; the empty name stands for all others.
    extensions : Mapping
        Student's id and exercise (or the empty name) → time.
    rule : LateRule
        What being late costs.
    """

    by_exercise: Mapping[str, datetime] = field(default_factory=dict)
    extensions: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    rule: LateRule = field(default_factory=LateRule)

    def due(self, students: Sequence[str], exercise: str) -> datetime | None:
        """When an exercise is due for a group; the latest extension of a member is everybody's."""
        given = self.by_exercise.get(exercise, self.by_exercise.get(""))
        own = [
            moment
            for student in students
            for name in (exercise, "")
            if (moment := self.extensions.get((student, name))) is not None
        ]
        return max([*own, *([given] if given else [])], default=None)


def read_extensions(
    path: Path, roster: Roster, exercises: Sequence[str], zone: tzinfo | None
) -> dict[tuple[str, str], datetime]:
    """Extensions: a table of `student`, `due`, and `exercise` if one is meant.

    Raises
    ------
    GradingError
        If a line names nobody, no exercise, or no time.
    """
    given: dict[tuple[str, str], datetime] = {}
    for row in read_table(path).rows:
        who = row.get("student", "name", "id", "email", "login")
        exercise = row.get("exercise", "assignment")
        moment = parse_time(row.get("due", "until", "extension"), zone)
        if moment is None:
            raise row.wrong(
                f"{row.get('due', 'until', 'extension')!r} is no time",
                "Fill the column 'due' with a time such as 2026-10-08T23:59.",
            )
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", row.get("due", "until", "extension")):
            moment += timedelta(hours=23, minutes=59, seconds=59)
        if exercise and exercise not in exercises:
            raise row.wrong(f"there is no exercise {exercise!r}", did_you_mean(exercise, exercises))
        found = roster.find(who)
        if len(roster) and len(found) != 1:
            raise row.wrong(
                f"{who!r} is {'nobody' if not found else 'more than one person'} of the roster",
                did_you_mean(who, (student.id for student in roster)),
            )
        given[found[0].id if found else who, exercise] = moment
    return given


def read_times(path: Path, zone: tzinfo | None) -> list[tuple[str, str, datetime]]:
    """Times of submission: (student, exercise or empty, time), of a table with such columns.

    A grades file of GitHub Classroom (`github_username`, `submission_timestamp`) and a grading
    worksheet of Moodle (`Last modified (submission)`) are such tables.

    Raises
    ------
    GradingError
        If a line has a time that is none.
    """
    table = read_table(path)
    titles = ("time", "submitted", "submission timestamp", "last modified (submission)")
    if not table.has(*titles):
        raise GradingError(
            "the table has no column of times",
            path,
            1,
            remedy="One must be called 'time', 'submitted' or 'submission_timestamp'.",
            code="E804",
        )
    told: list[tuple[str, str, datetime]] = []
    for row in table.rows:
        text = row.get(*titles)
        who = row.get(
            *("student", "id number", "github username", "email address", "email", "login"),
            *("roster identifier", "full name", "name", "identifier"),
        )
        if text in ("", "-"):
            continue
        moment = parse_time(text, zone)
        if moment is None:
            raise row.wrong(f"{text!r} is no time", "Write it as 2026-10-08T23:59.")
        told.append((who, row.get("exercise"), moment))
    return told


def lateness_text(late_s: float) -> str:
    """How late, for people."""
    days, rest = divmod(late_s, 86400)
    if days:
        return f"{days:.0f} d {rest // 3600:.0f} h"
    return format_duration(late_s)
