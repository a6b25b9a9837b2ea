"""Whose a file is, told by its place: the names that learning platforms give to what they hand out.

Each layout is a reading of the first name below the folder that was downloaded; the first that fits
counts. What stands there besides the person (an id, a time, LATE) is kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from mlkit.errors import GradingError
from mlkit.frozen import dataclass

__all__ = ["Owner", "common_prefix", "named_pattern", "owner_by_pattern", "owner_of"]


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whom a place names, and what else it tells.

    Parameters
    ----------
    layout : str
        Which reading it was.
    name : str
        The person's name or id, as it stands there.
    platform, key : str
        The person's id on a platform; empty where the place has none.
    time : str
        When it was handed in, as it stands there.
    late : bool
        Whether the place says that it was late.
    order : int
        A number that grows with later uploads; 0 where there is none.
    file : str
        The file's own name, without what the platform put before it; empty: as it stands.
    """

    layout: str
    name: str
    platform: str = ""
    key: str = ""
    time: str = ""
    late: bool = False
    order: int = 0
    file: str = ""


# Canvas, lib/content_zipper.rb: NAME[_LATE]_USER_ATTACHMENT_FILE, the name in small letters and
# without blanks (https://github.com/instructure/canvas-lms/blob/master/lib/content_zipper.rb).
CANVAS: Final = re.compile(
    r"(?P<name>[^/]+?)_(?P<late>LATE_)?(?P<key>\d+)_(?P<order>\d+)_(?P<file>.+)", re.IGNORECASE
)
CANVAS_ANONYMOUS: Final = re.compile(
    r"(?P<late>LATE_)?(?P<name>anon_?[0-9A-Za-z]+)_(?P<order>\d+)_(?P<file>.+)", re.IGNORECASE
)
# Moodle: FULLNAME_PARTICIPANT_assignsubmission_file[_[FILE]], a folder or a file
# (https://github.com/moodle/moodle/blob/main/mod/assign/feedback/file/importziplib.php reads it).
MOODLE: Final = re.compile(
    r"(?P<name>[^/]+?)_(?P<key>\d+)_assign(?:submission|feedback)_[a-z]+_?(?P<file>.*)"
)
# Brightspace: ORG-USER - NAME - TIME[ - FILE], a folder or a file.
BRIGHTSPACE: Final = re.compile(
    r"(?P<org>\d+)-(?P<key>\d+) - (?P<name>.+?) - (?P<time>[^-]*\d{4} \d{3,4} [AP]M)"
    r"(?: - (?P<file>.+))?",
    re.IGNORECASE,
)
# Blackboard: ASSIGNMENT_LOGIN_attempt_TIME[_FILE]; a login may hold underscores.
BLACKBOARD: Final = re.compile(
    r"[^_/]+_(?P<name>[^/]+)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:\.txt|_(?P<file>.+))?"
)
# Any other download that puts a number behind the name: NAME_[LATE_]NUMBER_FILE.
NUMBERED: Final = re.compile(
    r"(?P<name>[^/]+?)[_-](?P<late>LATE_)?(?P<order>\d+)[_-](?P<file>.*\.ipynb.*)", re.IGNORECASE
)
READINGS: Final = (
    ("brightspace", "", BRIGHTSPACE),
    ("moodle", "moodle", MOODLE),
    ("blackboard", "", BLACKBOARD),
    ("canvas", "canvas", CANVAS),
    ("canvas", "", CANVAS_ANONYMOUS),
)


def owner_of(parts: Sequence[str], *, prefix: str = "") -> Owner | None:
    """Read a place below the folder that was downloaded; None if it names nobody.

    Parameters
    ----------
    parts : sequence of str
        The names, outermost first.
    prefix : str
        With what every folder begins that git-classroom made: the assignment's name and a hyphen.
    """
    first = parts[0]
    for layout, platform, reading in READINGS:
        match = reading.fullmatch(first)
        if match is not None:
            owner = _from_match(layout, platform, match)
            return replace(owner, file=owner.file if len(parts) == 1 else "")
    if len(parts) == 1:
        match = NUMBERED.fullmatch(first)
        return None if match is None else _from_match("numbered", "", match)
    if prefix and first.startswith(prefix) and len(first) > len(prefix):
        return Owner(
            layout="git-classroom",
            name=first[len(prefix) :],
            platform="github",
            key=first[len(prefix) :],
        )
    return Owner(layout="folders", name=first)


def _from_match(layout: str, platform: str, match: re.Match[str]) -> Owner:
    found = {name: text or "" for name, text in match.groupdict().items()}
    return Owner(
        layout=layout,
        name=found["name"].strip(),
        platform=platform,
        key=found.get("key", "") if platform else "",
        time=found.get("time", ""),
        late=bool(found.get("late")),
        order=int(found.get("order") or 0) % 10**18,
        file=found.get("file", ""),
    )


def common_prefix(names: Iterable[str]) -> str:
    """With what all folders of a git-classroom begin, up to a hyphen; empty where they are none.

    GitHub Classroom names a repository ASSIGNMENT-LOGIN; `gh classroom clone student-repos` puts
    them side by side.
    """
    folders = list(names)
    if len(folders) < 2:
        return ""
    first, *others = folders
    starts = [first[: at + 1] for at, char in enumerate(first) if char == "-"]
    fitting = [s for s in starts if all(o.startswith(s) and len(o) > len(s) for o in others)]
    return max((s for s in fitting if len(first) > len(s)), key=len, default="")


FIELDS: Final = ("student", "time", "exercise", "attempt")


def named_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern for paths as a regular expression.

    Parameters
    ----------
    pattern : str
        `{student}` once, at most once each `{exercise}`, `{time}` and `{attempt}` (a number); `*`
        for anything within a name, `**` for anything at all.

    Raises
    ------
    GradingError
        If it does not say where the student's name stands.
    """
    parts = re.split(r"(\{\w+\}|\*\*|\*)", pattern)
    count = Counter(parts)
    if count["{student}"] != 1:
        raise GradingError(
            f"the pattern {pattern!r} does not say where the student's name stands",
            remedy="Write {student} once, as in '{student}_*_*.ipynb' or 'handed-in/{student}/**'",
        )
    ways = {"**": r".*", "*": r"[^/]*?", "{attempt}": r"(?P<attempt>\d{1,18})"}
    ways |= {f"{{{name}}}": rf"(?P<{name}>[^/]+?)" for name in FIELDS if name != "attempt"}
    for part in parts:
        if re.fullmatch(r"\{\w+\}", part) and (part not in ways or count[part] > 1):
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise GradingError(
                f"the pattern {pattern!r} has {part} "
                + ("more than once" if part in ways else "in it, which means nothing"),
                remedy=f"There are {known}, each at most once",
            )
    return re.compile("".join(ways.get(part) or re.escape(part) for part in parts))


def owner_by_pattern(pattern: re.Pattern[str], parts: Sequence[str]) -> tuple[Owner, str] | None:
    """The owner that a pattern names, and the exercise if it names one; None if it does not fit."""
    match = pattern.fullmatch("/".join(parts))
    if match is None:
        return None
    found = {name: text or "" for name, text in match.groupdict().items()}
    owner = Owner(
        layout="pattern",
        name=found["student"].strip(),
        time=found.get("time", ""),
        order=int(found.get("attempt") or 0),
    )
    return owner, found.get("exercise", "")
