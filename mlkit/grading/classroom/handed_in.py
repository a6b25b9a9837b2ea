"""What a class handed in, read: whose each notebook is, what it answers, and when it came.

Every file below the paths is somebody's piece, or not understood (with what to do about it), or
nobody misses it (no notebook, hidden).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final, Literal

from mlkit.grading.classroom.downloads import NO_NOTEBOOK, TIMES, Item, walk
from mlkit.grading.classroom.lateness import Deadlines, parse_time
from mlkit.grading.classroom.roster import Roster, Student, folded
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.layouts import Owner, common_prefix, named_pattern, owner_by_pattern, owner_of
from mlkit.grading.submissions import exercise_of, name_in
from mlkit.grading.tables import did_you_mean

__all__ = ["Collecting", "Piece", "Tally", "Which", "read_path"]

WRAPPER: Final = re.compile(
    r"(submitted(?: files)?|submissions?|.*[-_ ]submissions?|.*downloads?.*)", re.I
)
NBGRADERS: Final = {"source", "release", "autograded", "feedback"}
COLUMNS: Final = {
    **{name: f"{name}_id" for name in ("canvas", "moodle", "brightspace")},
    "github": "github",
}
"""Platform → the column of a roster that has its ids."""
WORD_ENDS: Final = re.compile(r"[\s_,;()]+")
WORD: Final = re.compile(r"[^\s_,;()]+")
LONGEST_ID: Final = 4
"""Of how many words the id of a person may be: `x_101` is two."""
ASK_FOR_IT: Final = "Ask for the notebook itself (.ipynb); a mark of your own goes into manual.csv."
GIVEN_ALONG: Final = ("notebooks", "solutions")
NEVER: Final = datetime.min.replace(tzinfo=UTC)

AS_THEY_STAND: Final = (
    *("exercise", "source", "root", "layout", "digest", "off", "order", "participant"),
)
"""What of a piece stands in `collection.json` as it is."""

Which = Literal["last", "first", "on-time", "best"]


@dataclass(frozen=True, kw_only=True)
class Collecting:
    """What to collect, and how.

    Parameters
    ----------
    paths : sequence of Path
        Downloads: folders, zip archives, notebooks.
    out : Path
        Where it goes: a folder a student or group, and `collection.json`.
    exercises : Mapping
        The exercises by name.
    roster : Roster
        The class; empty: all who handed in.
    pattern : str or None
        Where a student's name stands in a path (see `named_pattern`); None: as platforms do it.
    which : str
        Which of several counts: `last`, `first`, `on-time` (the last of those in time, else the
        earliest), `best` (all are graded).
    deadlines : Deadlines
        When things are due, and what being late costs.
    times : sequence of (str, str, datetime)
        Who handed in (which exercise, or any) when, from a table of the platform.
    zone : tzinfo or None
        The zone of times that name none; None: this computer's.
    """

    paths: Sequence[Path]
    out: Path
    exercises: Mapping[str, Exercise]
    roster: Roster = field(default_factory=Roster)
    pattern: str | None = None
    which: Which = "last"
    deadlines: Deadlines = field(default_factory=Deadlines)
    times: Sequence[tuple[str, str, datetime]] = ()
    zone: tzinfo | None = None


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A notebook that is somebody's."""

    root: str
    source: str
    staged: Path
    digest: str
    students: tuple[str, ...]
    unit: str
    exercise: str
    stem: str
    layout: str
    moment: datetime | None = None
    order: int = 0
    told_late: bool = False
    due: datetime | None = None
    off: float = 0.0
    participant: str = ""

    @property
    def late_s(self) -> float | None:
        """How late it is; None where that is not known."""
        if self.moment is None or self.due is None:
            return None
        return max(0.0, (self.moment - self.due).total_seconds())

    @property
    def late(self) -> bool:
        """Whether it came late, as far as that is known."""
        return self.told_late if self.late_s is None else self.late_s > 0

    @property
    def rank(self) -> tuple[datetime, int, str]:
        """By what pieces stand in the order in which they were handed in."""
        return (self.moment or NEVER, self.order, self.source)

    def public(self) -> dict[str, Any]:
        """What stands of it in `collection.json`."""
        return {
            "student": self.unit,
            "students": list(self.students),
            **{name: getattr(self, name) for name in AS_THEY_STAND},
            "time": self.moment.isoformat() if self.moment else None,
            "due": self.due.isoformat() if self.due else None,
            "late": self.late,
            "late_s": self.late_s,
        }

    @classmethod
    def from_public(cls, known: Mapping[str, Any], staged: Path) -> Piece:
        """What was collected before, as if it were read again now."""
        return cls(
            **{name: known[name] for name in AS_THEY_STAND},
            staged=staged,
            students=tuple(known["students"]),
            unit=known["student"],
            stem=Path(known["file"]).stem,
            moment=parse_time(known["time"]) if known["time"] else None,
            told_late=known["late"],
            due=parse_time(known["due"]) if known["due"] else None,
        )

    def timed(self, deadlines: Deadlines) -> Piece:
        """With its deadline, if there is one, and with what being late costs."""
        due = deadlines.due(self.students, self.exercise)
        piece = replace(self, due=due or self.due)
        rule = deadlines.rule
        late_s = piece.late_s
        if late_s is None:  # told late without a time: the least that it can be
            late_s = rule.grace_s + 1 if piece.told_late else 0.0
        return replace(piece, off=rule.off(late_s))


@dataclass
class Tally:
    """What has been found so far; filled while the paths are walked."""

    pieces: list[Piece] = field(default_factory=list)
    odd: list[dict[str, str]] = field(default_factory=list)
    noise: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    people: dict[str, Student] = field(default_factory=dict)

    def pass_over(self, root: str, place: str, why: str) -> None:
        """Note a file that nobody misses."""
        self.noise.append({"root": root, "source": place, "why": why})

    def refuse(self, root: str, place: str, fact: str, remedy: str) -> None:
        """Note a file that is not understood."""
        self.odd.append({"root": root, "source": place, "fact": fact, "remedy": remedy})


@dataclass(frozen=True, kw_only=True)
class _Met:
    """A file that was met: its path, as far as it can tell of a person; a copy of a notebook."""

    item: Item
    parts: tuple[str, ...]
    staged: Path | None
    digest: str
    stamp: str = ""


def read_path(path: Path, job: Collecting, stage: Path, tally: Tally) -> None:
    """Walk one path; stage each notebook, and say whose it is."""
    root = str(path.absolute())
    every = _walked(path, root, stage, tally)
    whose = ""
    if _is_somebodys(path, [one.item for one in every if not one.item.noise], job):
        whose = path.stem if path.is_file() else path.name
        every = [replace(one, parts=(whose, *one.parts)) for one in every]
    every, prefix = _narrowed(every, "" if whose else path.stem, root, job, tally)
    owner_at = _owners(job, prefix)
    instead = dict(_without_notebook(every, owner_at, job.roster))
    for one in every:
        place = one.item.place
        if place in instead:
            tally.refuse(root, place, f"no notebook, but {instead[place]}", ASK_FOR_IT)
            continue
        if one.item.noise:
            tally.pass_over(root, place, one.item.noise)
            continue
        if one.item.trouble or one.staged is None:
            tally.refuse(root, one.item.place, one.item.trouble, one.item.remedy)
            continue
        owner, named = owner_at(one.parts)
        if owner is None:
            tally.refuse(root, one.item.place, *_nobody(job))
            continue
        if one.stamp and not owner.time and _may_be_theirs(one, owner):
            tally.notes.append(
                f"{one.item.place}: the {TIMES} beside it is not heeded: who handed the "
                "notebook in may have written it. Give --times TABLE."
            )
        elif one.stamp and not owner.time:
            layout = "nbgrader" if owner.layout == "folders" else owner.layout
            owner = replace(owner, time=one.stamp, layout=layout)
        student = _who(owner, job.roster, tally)
        if isinstance(student, str):
            tally.refuse(root, one.item.place, *student.split("\n", 1))
            continue
        tally.people.setdefault(student.id, student)
        name = named or owner.file or one.parts[-1]
        piece = _piece(job, owner, student, name, one.staged, tally)
        tally.pieces.append(replace(piece, root=root, source=one.item.place, digest=one.digest))


OwnerAt = Callable[[Sequence[str]], tuple[Owner | None, str]]


def _owners(job: Collecting, prefix: str) -> OwnerAt:
    """By what the owner of a place is found, and the exercise if a pattern names it."""
    if job.pattern is None:
        return lambda parts: (_owner(parts, prefix, job), "")
    pattern = named_pattern(job.pattern)
    return lambda parts: owner_by_pattern(pattern, parts) or (None, "")


def _without_notebook(
    every: Sequence[_Met], owner_at: OwnerAt, roster: Roster
) -> Iterator[tuple[str, str]]:
    """Of whom there are files and no notebook: the place of the first, and what they are called."""
    having: set[str] = set()
    others: dict[str, list[Item]] = {}
    for one in every:
        owner, _ = owner_at(one.parts)
        student = _who(owner, roster, Tally()) if owner is not None else ""
        if owner is None or isinstance(student, str):
            continue
        unit = student.group or student.id if len(roster) else f"{owner.name} {owner.key}"
        if one.item.noise:
            others.setdefault(unit, []).append(one.item)
        else:
            having.add(unit)
    for unit, items in others.items():
        if unit not in having:
            names = [item.parts[-1] for item in items]
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield items[0].place, ", ".join(names[:3]) + more


def _may_be_theirs(one: _Met, owner: Owner) -> bool:
    """Whether all that stands beside a notebook was handed in with it, and by the same person.

    nbgrader writes its time into a folder of its own; what is in an archive of somebody, a
    repository, or the folder in which a platform keeps an upload, was there before.
    """
    places = one.item.place.casefold().split("/")[-len(one.parts) : -1]
    uploaded = any(place.endswith(".zip") for place in places)
    return uploaded or owner.layout not in ("folders", "pattern")


def _walked(path: Path, root: str, stage: Path, tally: Tally) -> list[_Met]:
    """Every notebook below a path, with the time stamp beside it (nbgrader writes one).

    And what else may be all that somebody handed in.
    """
    met: list[_Met] = []
    stamps: dict[tuple[str, ...], str] = {}
    for item in walk(path):
        if item.noise == NO_NOTEBOOK:
            met.append(_Met(item=item, parts=item.parts, staged=None, digest=""))
        elif item.noise:
            tally.pass_over(root, item.place, item.noise)
        elif item.parts[-1].casefold() == TIMES and item.content:
            stamps[item.parts[:-1]] = item.content[:200].decode("utf-8", "replace")
            tally.pass_over(root, item.place, "a time stamp")
        else:
            staged, digest = _staged(item, stage)
            kept = replace(item, content=b"")
            met.append(_Met(item=kept, parts=item.parts, staged=staged, digest=digest))
    return [replace(one, stamp=stamps.get(one.parts[:-1], "").strip()) for one in met]


def _narrowed(
    every: Sequence[_Met], outer: str, root: str, job: Collecting, tally: Tally
) -> tuple[list[_Met], str]:
    """Those that were handed in, without the folders around all of them, which are nobody's.

    And with what the names of their folders begin that is no name: a git-classroom's assignment.
    Where `outer`, the path's own name, is empty, the path is somebody's, and has nothing around it.
    """
    given = _given_along([one.parts for one in every])
    for one in every:
        if one.parts in given:
            tally.pass_over(root, one.item.place, "given along with exercises")
    every = [one for one in every if one.parts not in given]
    met = [one for one in every if not one.item.noise]
    cut = _wrapped(met, job, outer) if outer else 0
    inner = [one.parts[cut:] for one in met if len(one.parts) > cut]
    in_nbgrader = any(NBGRADERS & {parts[0]} for parts in inner) and any(
        parts[0] == "submitted" for parts in inner
    )
    kept: list[_Met] = []
    for one in every:
        parts = one.parts[cut:] or one.parts[-1:]
        if in_nbgrader and (parts[0] != "submitted" or len(parts) < 2):
            tally.pass_over(root, one.item.place, "not handed in")
        else:
            kept.append(replace(one, parts=parts[1:] if in_nbgrader else parts))
    return kept, "" if job.pattern or in_nbgrader else _prefix(inner, job)


def _given_along(paths: Sequence[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Notebooks that a learner was given beside `exercises/`, and answers nothing by."""
    homes = {
        parts[:at] for parts in paths for at, name in enumerate(parts[:-1]) if name == "exercises"
    }
    return {
        parts
        for parts in paths
        for at, name in enumerate(parts[:-1])
        if name in GIVEN_ALONG and parts[:at] in homes
    }


def _staged(item: Item, stage: Path) -> tuple[Path | None, str]:
    """A copy under a name of our own, and its digest: memory holds one notebook at a time."""
    if item.trouble:
        return None, ""
    digest = hashlib.sha256(item.content).hexdigest()
    path = stage / f"{digest}.ipynb"
    if not path.exists():
        path.write_bytes(item.content)
    return path, digest


def _wrapped(met: Sequence[_Met], job: Collecting, outermost: str) -> int:
    """How many outer folders hold everything and are nobody's: `Homework 5 submissions/`."""
    cut = 0
    while True:
        inner = [one.parts[cut:] for one in met if one.parts[cut:]]
        outer = {parts[0] for parts in inner}
        if len(outer) != 1 or not all(len(parts) > 1 for parts in inner):
            return cut
        name = outer.pop()
        if job.pattern is not None or _names_somebody(name, job.roster):
            return cut
        within = [parts[1:] for parts in inner]
        inmost = _without_common(within, job.roster)
        certain = any((o := owner_of(parts)) and o.layout != "folders" for parts in inmost)
        known = any(
            _names_somebody(parts[0], job.roster) or _named_in(parts[0], job.roster)
            for parts in inmost
        )
        packed = not len(job.roster) and _is_pack(name, met, within)
        alone = not len(job.roster) and len(job.paths) == 1 and _is_class(inmost)
        if not (
            WRAPPER.fullmatch(name) or certain or known or packed or alone or name == outermost
        ):
            return cut
        cut += 1


def _without_common(paths: Sequence[tuple[str, ...]], roster: Roster) -> Sequence[tuple[str, ...]]:
    """Without further folders around all of them: ILIAS puts `Homework 5/Submissions/` around."""
    while len({parts[0] for parts in paths}) == 1 and all(len(parts) > 1 for parts in paths):
        if _names_somebody(paths[0][0], roster):
            break
        paths = [parts[1:] for parts in paths]
    return paths


def _is_pack(name: str, met: Sequence[_Met], within: Sequence[tuple[str, ...]]) -> bool:
    """Whether the only thing there is an archive of several folders: a class, not a person."""
    archive = f"{name}.zip/".casefold()
    several = len({parts[0] for parts in within}) > 1 and all(len(parts) > 1 for parts in within)
    return several and all(archive in one.item.place.casefold() for one in met)


def _is_class(within: Sequence[tuple[str, ...]]) -> bool:
    """Whether several folders hold a notebook of one name: nobody hands one in so often."""
    homes: dict[str, set[str]] = {}
    for parts in within:
        homes.setdefault(folded(parts[-1]), set()).add(parts[0])
    return all(len(parts) > 1 for parts in within) and any(len(h) > 1 for h in homes.values())


def _is_somebodys(path: Path, items: Sequence[Item], job: Collecting) -> bool:
    """Whether a path is one person's folder or zip, as in `collect class/*`."""
    if job.pattern is not None or path.suffix.casefold() == ".ipynb" or not items:
        return False
    name = path.stem if path.is_file() else path.name
    if len(job.roster):
        return bool(job.roster.find(name)) or _is_platforms(name)
    loose = all(len(i.parts) == 1 and name_in(Path(i.parts[0]), job.exercises) for i in items)
    # Nobody hands in for somebody else who has handed in, whatever folders are in an archive.
    others = {folded(p.stem) for p in job.paths if p != path}
    forged = any(folded(i.parts[0]) in others for i in items if len(i.parts) > 1)
    return _is_platforms(name) or (loose and len(job.paths) > 1) or forged


def _is_platforms(name: str) -> bool:
    owner = owner_of((name, ""))
    return owner is not None and owner.layout not in ("folders", "numbered")


def _names_somebody(name: str, roster: Roster) -> bool:
    return _is_platforms(name) or bool(roster.find(name)) or _named_twice(name, roster) is not None


def _prefix(inner: Iterable[tuple[str, ...]], job: Collecting) -> str:
    """The assignment's name before the logins of a git-classroom, if these are such folders."""
    folders = {parts[0] for parts in inner if len(parts) > 1}
    prefix = common_prefix(sorted(folders))
    if not prefix or any(_names_somebody(name, job.roster) for name in folders):
        return ""
    if len(job.roster):
        return prefix if any(job.roster.find(n[len(prefix) :]) for n in folders) else ""
    told = folded(prefix)
    return (
        prefix
        if any(folded(name) in told or told in folded(name) for name in job.exercises)
        else ""
    )


def _owner(parts: Sequence[str], prefix: str, job: Collecting) -> Owner | None:
    owner = owner_of(parts, prefix=prefix)
    if owner is None or (owner.layout == "numbered" and not job.roster.find(owner.name)):
        named = _named_in(parts[0], job.roster)
        return named if named is not None else owner
    if owner.layout == "folders" and not job.roster.find(owner.name):
        return _named_twice(owner.name, job.roster) or owner
    return owner


def _named_twice(folder: str, roster: Roster) -> Owner | None:
    """Who is named by an id, and by a part of the name beside it.

    `Lee, Ann(alee)` (Sakai), `Lee_Ann_alee_4711` (ILIAS).
    """
    owner = _named_in(folder, roster)
    words = {folded(word) for word in re.split(WORD_ENDS, folder)} - {""}
    for student in roster.find(owner.name) if owner is not None else ():
        ids = {folded(key) for key in (student.id, *student.keys.values())}
        if (words - ids) & {folded(word) for word in re.split(WORD_ENDS, student.name)}:
            return owner
    return None


def _named_in(name: str, roster: Roster) -> Owner | None:
    """The one person whose id, login or name a loose file's name is, or has as a word."""
    stem = re.sub(r"(?i)\.ipynb(\.txt|\.json)?$", "", name)
    whole = roster.find(stem)
    if len(whole) == 1:
        return Owner(layout="named", name=whole[0].id)
    parts = [p for part in re.split(r"\s+-\s+", stem) for p in roster.find(part)]
    if len({student.id for student in parts}) == 1:
        return Owner(layout="named", name=parts[0].id)
    ids = _with_an_id_in(stem, roster)
    return Owner(layout="named", name=ids[0].id) if len(ids) == 1 else None


def _with_an_id_in(stem: str, roster: Roster) -> list[Student]:
    """Everybody one of whose ids is a word of a name, or several as they stand in the id.

    So `x_101` is found in `Lee, Ann(x_101)`, and somebody whose id is `101` is not.
    """
    words = [found.span() for found in re.finditer(WORD, stem)]
    runs = [(a, z) for at, (a, _) in enumerate(words) for _, z in words[at : at + LONGEST_ID]]
    told = {run: roster.with_id(stem[slice(*run)], as_it_stands=run not in words) for run in runs}
    named = [run for run, people in told.items() if people]
    longest = [
        (start, end)
        for start, end in named
        if not any(a <= start and end <= z and (a, z) != (start, end) for a, z in named)
    ]
    return list({student.id: student for run in longest for student in told[run]}.values())


def _nobody(job: Collecting) -> tuple[str, str]:
    if job.pattern:
        return (
            f"its path does not fit the pattern {job.pattern!r}",
            "Correct the pattern, or put the file into a folder that fits.",
        )
    return (
        "its name says nothing of a person",
        "Put it into a folder with the student's id, or say by --student PATTERN where the name "
        "stands.",
    )


def _who(owner: Owner, roster: Roster, tally: Tally) -> Student | str:
    """The person whom a place names; else why not, and what to do, on two lines."""
    if not len(roster):
        return _newcomer(owner, tally)
    by_key = roster.find(owner.key, owner.platform) if owner.key else ()
    by_name = roster.find(owner.name) or _behind_another_name(owner, roster)
    if owner.platform == "moodle" and by_name:
        # A participant's number is another in every assignment: the name counts for more.
        by_key = tuple(student for student in by_key if student in by_name)
    people = by_key if len(by_key) == 1 else by_name
    if len(people) == 1:
        return people[0]
    if people:
        ids = ", ".join(student.id for student in people)
        hint = COLUMNS.get(owner.platform, "id") if owner.key else "id"
        told = f" {owner.key} in the right line's column {hint!r}" if owner.key else " the ids"
        return f"{owner.name!r} may be {ids}\nPut{told} of the roster, and collect again."
    near = did_you_mean(owner.name, [student.shown for student in roster]).rstrip(".")
    return (
        f"{owner.name!r} is nobody of the roster\n{near}{'' if near.endswith('?') else '.'} "
        "Add a line to the roster"
        + (f" with {owner.key} as {COLUMNS[owner.platform]!r}" if owner.key else "")
        + ", or rename the folder."
    )


def _behind_another_name(owner: Owner, roster: Roster) -> tuple[Student, ...]:
    """Who stands behind a group's name and a hyphen (Moodle), or a part of an assignment's."""
    if owner.layout == "moodle":
        heads = [m.start() for m in re.finditer("-", owner.name)]
        found = [(owner.name[:at], roster.find(owner.name[at + 1 :])) for at in heads]
        return tuple(
            student
            for head, people in found
            for student in people
            if head and folded(head) in {folded(student.group), folded(student.section)}
        )
    if owner.layout == "blackboard":
        words = owner.name.split("_")
        tails = ("_".join(words[at:]) for at in range(1, len(words)))
        return next((people for tail in tails if (people := roster.find(tail))), ())
    return ()


def _newcomer(owner: Owner, tally: Tally) -> Student:
    """Without a roster everybody is somebody; two with one name are told apart by their ids."""
    keys = {owner.platform: owner.key} if owner.key else {}
    known = tally.people.get(owner.name)
    if known is None or not keys or not known.keys or dict(known.keys) == keys:
        return known or Student(id=owner.name, name=owner.name, keys=keys)
    return Student(id=f"{owner.name}-{owner.key}", name=owner.name, keys=keys)


def _piece(
    job: Collecting, owner: Owner, student: Student, name: str, staged: Path, tally: Tally
) -> Piece:
    exercise = exercise_of(staged, name, job.exercises)
    members = job.roster.members(student) if student.group else (student,)
    moment = _told_time(job, members, exercise) or parse_time(owner.time, job.zone)
    if owner.time and moment is None:
        tally.notes.append(
            f"The time {owner.time!r} of {student.shown} is not understood: give --times TABLE."
        )
    ids = tuple(member.id for member in members)
    piece = Piece(
        root="",
        source="",
        staged=staged,
        digest="",
        students=ids,
        unit=student.group or student.id,
        exercise=exercise,
        stem=re.sub(r"(?i)\.ipynb(\.txt|\.json)?$", "", name),
        layout=owner.layout,
        moment=moment,
        order=owner.order,
        told_late=owner.late,
        participant=owner.key if owner.platform == "moodle" else "",
    )
    return piece.timed(job.deadlines)


def _told_time(job: Collecting, members: Sequence[Student], exercise: str) -> datetime | None:
    """What a table of times says; the latest where it has several."""
    told = [
        moment
        for who, named, moment in job.times
        if named in ("", exercise) and _is_one_of(who, members, job.roster)
    ]
    return max(told, default=None)


def _is_one_of(who: str, members: Sequence[Student], roster: Roster) -> bool:
    """Whether a table means one of a group by a name or an id; without a roster, by its letters."""
    found = roster.find(who)
    if found:
        return not {s.id for s in found}.isdisjoint(member.id for member in members)
    return folded(who) in {
        folded(key) for m in members for key in (m.id, m.name, m.email, *m.keys.values())
    }
