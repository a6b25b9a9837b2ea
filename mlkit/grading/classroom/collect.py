"""Collect what a class handed in: whose each file is, when it came, and which of several counts.

Every file below the paths ends in exactly one of four lists: it counts, another one counts in its
place, it is not understood (with what to do about it), or nobody misses it (no notebook, hidden).
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final, Literal, get_args

from mlkit.errors import GradingError
from mlkit.grading.classroom.lateness import Deadlines, parse_time
from mlkit.grading.classroom.roster import Roster, Student, folded, safe_name
from mlkit.grading.classroom.sources import TIMES, Item, walk
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.layouts import (
    Owner,
    common_prefix,
    named_pattern,
    owner_by_pattern,
    owner_of,
)
from mlkit.grading.submissions import exercise_of, name_in
from mlkit.grading.tables import did_you_mean, write_whole

__all__ = ["MANIFEST", "WAYS", "Collecting", "Which", "collect", "read_collection"]

MANIFEST: Final = "collection.json"
VERSION: Final = 1
WRAPPER: Final = re.compile(r"(submitted|submissions?|.*[-_ ]submissions?|.*downloads?.*)", re.I)
NBGRADERS: Final = {"source", "release", "autograded", "feedback"}
GIVEN_ALONG: Final = ("notebooks", "solutions")
NEVER: Final = datetime.min.replace(tzinfo=UTC)

Which = Literal["last", "first", "on-time", "best"]
WAYS: Final = get_args(Which)


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
        The class; empty: whoever handed in.
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
class _Piece:
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
        return self.told_late if self.late_s is None else self.late_s > 0

    @property
    def rank(self) -> tuple[datetime, int, str]:
        return (self.moment or NEVER, self.order, self.source)

    def public(self) -> dict[str, Any]:
        return {
            "student": self.unit,
            "students": list(self.students),
            "exercise": self.exercise,
            "source": self.source,
            "root": self.root,
            "layout": self.layout,
            "digest": self.digest,
            "time": self.moment.isoformat() if self.moment else None,
            "due": self.due.isoformat() if self.due else None,
            "late": self.late,
            "late_s": self.late_s,
            "off": self.off,
            "order": self.order,
            "participant": self.participant,
        }


@dataclass
class _Tally:
    """What has been found so far; filled while the paths are walked."""

    pieces: list[_Piece] = field(default_factory=list)
    odd: list[dict[str, str]] = field(default_factory=list)
    noise: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    people: dict[str, Student] = field(default_factory=dict)

    def refuse(self, root: str, place: str, fact: str, remedy: str) -> None:
        self.odd.append({"root": root, "source": place, "fact": fact, "remedy": remedy})


def collect(job: Collecting) -> dict[str, Any]:
    """Collect, and write the collection.

    Parameters
    ----------
    job : Collecting
        What to collect, and how.

    Returns
    -------
    dict
        `{"submissions", "superseded", "not_understood", "passed_over", "missing", "notes", …}`,
        which is what `collection.json` holds.

    Raises
    ------
    GradingError
        If a path is missing, nothing was handed in, or the folder holds something else; then
        nothing was written.
    """
    earlier = _earlier(job.out)
    if not len(job.roster) and earlier is not None and earlier["has_roster"]:
        job = replace(job, roster=_roster_in(earlier))
    tally = _Tally()
    with tempfile.TemporaryDirectory(prefix="mlkit-") as folder:
        stage = Path(folder)
        for path in job.paths:
            if not path.exists():
                raise GradingError(
                    "there is no such file or folder",
                    path,
                    remedy="Name the folder or zip that the platform gave you.",
                )
            _read_path(path, job, stage, tally)
        roots = {str(path.absolute()) for path in job.paths}
        if earlier is not None:
            _add_earlier(earlier, roots, job, stage, tally)
        if not tally.pieces:
            told = "; ".join(f"{o['source']}: {o['fact']}. {o['remedy']}" for o in tally.odd[:3])
            raise GradingError(
                f"no notebook of anybody is in {', '.join(map(str, job.paths))}",
                remedy=told or "Name the folder or zip that the platform gave you.",
            )
        document, files = _document(job, tally)
        _write(job.out, document, files, earlier)
    return document


# --- what is there ---------------------------------------------------------------------------


def _earlier(out: Path) -> dict[str, Any] | None:
    """What an earlier collection left in the folder; None for a new one."""
    if out.exists() and not out.is_dir():
        raise GradingError("this is a file, and a folder is wanted", out, remedy="Give --to DIR.")
    if (out / MANIFEST).exists():
        return read_collection(out)
    if out.is_dir() and any(out.iterdir()):
        raise GradingError(
            "the folder holds something else than a collection",
            out,
            remedy="Give a new folder with --to DIR; nothing was written.",
        )
    return None


def read_collection(folder: Path) -> dict[str, Any]:
    """Read a collection's `collection.json`.

    Raises
    ------
    GradingError
        If it is no such file.
    """
    path = folder / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        good = document["version"] == VERSION and all(
            isinstance(s["file"], str) and isinstance(s["students"], list)
            for s in document["submissions"]
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise GradingError(
            "this is not a collection that mlkit has written",
            path,
            remedy="Collect again into a new folder.",
        ) from error
    if not good:
        raise GradingError(
            "this collection is of another version of mlkit", path, remedy="Collect again."
        )
    return dict(document)


def _roster_in(document: Mapping[str, Any]) -> Roster:
    return Roster(tuple(Student(**student) for student in document["roster"]))


def _read_path(path: Path, job: Collecting, stage: Path, tally: _Tally) -> None:
    """Walk one path; stage each notebook, and say whose it is."""
    root = str(path.absolute())
    met: list[tuple[Item, Path | None, str]] = []
    stamps: dict[tuple[str, ...], str] = {}
    for item in walk(path):
        if item.noise:
            tally.noise.append({"root": root, "source": item.place, "why": item.noise})
        elif item.parts[-1].casefold() == TIMES and item.content:
            stamps[item.parts[:-1]] = item.content[:200].decode("utf-8", "replace")
            tally.noise.append({"root": root, "source": item.place, "why": "a time stamp"})
        else:
            met.append((replace(item, content=b""), *_staged(item, stage)))
    if _is_somebodys(path, [item for item, _, _ in met], job):
        name = path.stem if path.is_file() else path.name
        met = [(replace(item, parts=(name, *item.parts)), s, d) for item, s, d in met]
        stamps = {(name, *parts): text for parts, text in stamps.items()}
    given = _given_along([item for item, _, _ in met])
    tally.noise += [
        {"root": root, "source": item.place, "why": "given along with exercises"}
        for item, _, _ in met
        if item.place in given
    ]
    met = [entry for entry in met if entry[0].place not in given]
    cut = _wrapped([item for item, _, _ in met], job, path)
    inner = [item.parts[cut:] for item, _, _ in met if len(item.parts) > cut]
    in_nbgrader = any(NBGRADERS & {parts[0]} for parts in inner) and any(
        parts[0] == "submitted" for parts in inner
    )
    prefix = "" if job.pattern else _prefix(inner, job)
    pattern = named_pattern(job.pattern) if job.pattern else None
    for item, staged, digest in met:
        parts = item.parts[cut:] or item.parts[-1:]
        if in_nbgrader:
            if parts[0] != "submitted" or len(parts) < 2:
                tally.noise.append({"root": root, "source": item.place, "why": "not handed in"})
                continue
            parts = parts[1:]
        if item.trouble or staged is None:
            tally.refuse(root, item.place, item.trouble, item.remedy)
            continue
        named = ""
        owner = _owner(parts, prefix, job) if pattern is None else None
        if pattern is not None and (told := owner_by_pattern(pattern, parts)) is not None:
            owner, named = told
        if owner is None:
            tally.refuse(root, item.place, *_nobody(job))
            continue
        stamp = _stamp(stamps, item.parts)
        if stamp and not owner.time:
            layout = "nbgrader" if owner.layout == "folders" else owner.layout
            owner = replace(owner, time=stamp, layout=layout)
        student = _who(owner, job.roster, tally)
        if isinstance(student, str):
            tally.refuse(root, item.place, *student.split("\n", 1))
            continue
        tally.people.setdefault(student.id, student)
        piece = _piece(job, owner, student, named or owner.file or parts[-1], staged, tally)
        tally.pieces.append(replace(piece, root=root, source=item.place, digest=digest))


def _given_along(items: Sequence[Item]) -> set[str]:
    """Places of notebooks that a learner was given beside `exercises/`, and answers nothing by."""
    homes = {
        item.parts[:at]
        for item in items
        for at, name in enumerate(item.parts[:-1])
        if name == "exercises"
    }
    return {
        item.place
        for item in items
        for at, name in enumerate(item.parts[:-1])
        if name in GIVEN_ALONG and item.parts[:at] in homes
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


def _stamp(stamps: Mapping[tuple[str, ...], str], parts: tuple[str, ...]) -> str:
    """The time stamp beside a file (nbgrader writes one a submission)."""
    return stamps.get(parts[:-1], "").strip()


def _wrapped(items: Sequence[Item], job: Collecting, path: Path) -> int:
    """How many outer folders hold everything and are nobody's: `Homework 5 submissions/`."""
    cut = 0
    while True:
        inner = [item.parts[cut:] for item in items if item.parts[cut:]]
        outer = {parts[0] for parts in inner}
        if len(outer) != 1 or not all(len(parts) > 1 for parts in inner):
            return cut
        name = outer.pop()
        if job.pattern is not None or _names_somebody(name, job.roster):
            return cut
        within = [parts[1:] for parts in inner]
        certain = any((o := owner_of(parts)) and o.layout != "folders" for parts in within)
        known = any(
            _names_somebody(parts[0], job.roster) or _named_in(parts[0], job.roster)
            for parts in within
        )
        packed = not len(job.roster) and _is_pack(name, items, within)
        if not (WRAPPER.fullmatch(name) or certain or known or packed or name == path.stem):
            return cut
        cut += 1


def _is_pack(name: str, items: Sequence[Item], within: Sequence[tuple[str, ...]]) -> bool:
    """Whether the only thing there is an archive of several folders: a class, not a person."""
    archive = f"{name}.zip/".casefold()
    several = len({parts[0] for parts in within}) > 1 and all(len(parts) > 1 for parts in within)
    return several and all(archive in item.place.casefold() for item in items)


def _is_somebodys(path: Path, items: Sequence[Item], job: Collecting) -> bool:
    """Whether a path is one person's folder or zip, as in `collect class/*`."""
    if job.pattern is not None or path.suffix.casefold() == ".ipynb" or not items:
        return False
    name = path.stem if path.is_file() else path.name
    if len(job.roster):
        return bool(job.roster.find(name)) or _is_platforms(name)
    loose = all(len(i.parts) == 1 and name_in(Path(i.parts[0]), job.exercises) for i in items)
    return _is_platforms(name) or (loose and len(job.paths) > 1)


def _is_platforms(name: str) -> bool:
    owner = owner_of((name, ""))
    return owner is not None and owner.layout not in ("folders", "numbered")


def _names_somebody(name: str, roster: Roster) -> bool:
    return _is_platforms(name) or bool(roster.find(name))


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
    return owner


def _named_in(name: str, roster: Roster) -> Owner | None:
    """The one person whose id, login or name a loose file's name is, or has as a word."""
    stem = re.sub(r"(?i)\.ipynb(\.txt|\.json)?$", "", name)
    whole = roster.find(stem)
    if len(whole) == 1:
        return Owner(layout="named", name=whole[0].id)
    words = {folded(word) for word in re.split(r"[\s_,;()]+", stem)}
    ids = [s for s in roster if words & {folded(key) for key in (s.id, *s.keys.values()) if key}]
    return Owner(layout="named", name=ids[0].id) if len(ids) == 1 else None


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


def _who(owner: Owner, roster: Roster, tally: _Tally) -> Student | str:
    """The person whom a place names; else why not, and what to do, on two lines."""
    if not len(roster):
        return _newcomer(owner, tally)
    by_key = roster.find(owner.key, owner.platform) if owner.key else ()
    by_name = roster.find(owner.name)
    if owner.platform == "moodle" and by_name:
        # A participant's number is another in every assignment: the name counts for more.
        by_key = tuple(student for student in by_key if student in by_name)
    people = by_key if len(by_key) == 1 else by_name
    if len(people) == 1:
        return people[0]
    if people:
        ids = ", ".join(student.id for student in people)
        hint = f"{owner.platform}_id" if owner.key else "id"
        told = f" {owner.key} in the right line's column {hint!r}" if owner.key else " the ids"
        return f"{owner.name!r} may be {ids}\nPut{told} of the roster, and collect again."
    near = did_you_mean(owner.name, [student.shown for student in roster])
    return (
        f"{owner.name!r} is nobody of the roster\n{near} Add a line to the roster"
        + (f" with {owner.platform}_id {owner.key}" if owner.key else "")
        + ", or rename the folder."
    )


def _newcomer(owner: Owner, tally: _Tally) -> Student:
    """Without a roster everybody is somebody; two with one name are told apart by their ids."""
    keys = {owner.platform: owner.key} if owner.key else {}
    known = tally.people.get(owner.name)
    if known is None or not keys or not known.keys or dict(known.keys) == keys:
        return known or Student(id=owner.name, name=owner.name, keys=keys)
    return Student(id=f"{owner.name}-{owner.key}", name=owner.name, keys=keys)


def _piece(
    job: Collecting, owner: Owner, student: Student, name: str, staged: Path, tally: _Tally
) -> _Piece:
    exercise = exercise_of(staged, name, job.exercises)
    members = job.roster.members(student) if student.group else (student,)
    moment = _told_time(job, members, exercise) or parse_time(owner.time, job.zone)
    if owner.time and moment is None:
        tally.notes.append(
            f"The time {owner.time!r} of {student.shown} is not understood: give --times TABLE."
        )
    ids = tuple(member.id for member in members)
    piece = _Piece(
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
    return _timed(piece, job.deadlines)


def _timed(piece: _Piece, deadlines: Deadlines) -> _Piece:
    """With its deadline, if there is one, and with what being late costs."""
    due = deadlines.due(piece.students, piece.exercise)
    piece = replace(piece, due=due or piece.due)
    rule = deadlines.rule
    late_s = piece.late_s
    if late_s is None:  # told late without a time: the least that it can be
        late_s = rule.grace_s + 1 if piece.told_late else 0.0
    return replace(piece, off=rule.off(late_s))


def _told_time(job: Collecting, members: Sequence[Student], exercise: str) -> datetime | None:
    """What a table of times says; the latest where it has several."""
    ids = {member.id for member in members}
    keys = {folded(key) for m in members for key in (m.id, m.name, m.email, *m.keys.values())}
    told = [
        moment
        for who, named, moment in job.times
        if named in ("", exercise)
        and (folded(who) in keys or {s.id for s in job.roster.find(who)} & ids)
    ]
    return max(told, default=None)


# --- what counts -----------------------------------------------------------------------------


def _add_earlier(
    earlier: Mapping[str, Any], roots: set[str], job: Collecting, stage: Path, tally: _Tally
) -> None:
    """What was collected before from other paths stays, as if it were read again now."""
    people = {student.id: student for student in _roster_in(earlier)}
    for known in earlier["submissions"]:
        if known["root"] in roots:
            continue
        place = job.out / known["file"]
        try:
            content = place.read_bytes()
        except OSError as error:
            tally.refuse(
                known["root"],
                known["source"],
                f"was collected into {known['file']}, which cannot be read ({error.strerror})",
                "Collect its path again.",
            )
            continue
        tally.people |= {name: people[name] for name in known["students"] if name in people}
        staged = stage / f"{known['digest']}.ipynb"
        staged.write_bytes(content)
        piece = _Piece(
            **{name: known[name] for name in ("root", "source", "digest", "exercise", "layout")},
            staged=staged,
            students=tuple(known["students"]),
            unit=known["student"],
            stem=Path(known["file"]).stem,
            moment=parse_time(known["time"]) if known["time"] else None,
            order=known["order"],
            told_late=known["late"],
            due=parse_time(known["due"]) if known["due"] else None,
            off=known["off"],
            participant=known["participant"],
        )
        due = job.deadlines.due(piece.students, piece.exercise)
        tally.pieces.append(_timed(piece, job.deadlines) if due else piece)
    for name, found in (("not_understood", tally.odd), ("passed_over", tally.noise)):
        found += [dict(row) for row in earlier[name] if row["root"] not in roots]


def _chosen(pieces: Sequence[_Piece], which: Which) -> list[_Piece]:
    """Which of several by one student or group for one exercise count."""
    if which == "best":
        return sorted(pieces, key=lambda piece: piece.rank)
    if which == "first":
        return [min(pieces, key=lambda piece: piece.rank)]
    if which == "on-time":
        timely = [piece for piece in pieces if not piece.off and not piece.late]
        if not timely:
            return [min(pieces, key=lambda piece: (piece.off, piece.rank))]
        pieces = timely
    return [max(pieces, key=lambda piece: piece.rank)]


def _document(job: Collecting, tally: _Tally) -> tuple[dict[str, Any], dict[str, Path]]:
    """The whole collection, and file → what goes into it."""
    heaps: dict[tuple[str, str], list[_Piece]] = {}
    for piece in tally.pieces:
        heaps.setdefault((piece.unit, piece.exercise or f"?{piece.stem}"), []).append(piece)
    counting: list[dict[str, Any]] = []
    beaten: list[dict[str, Any]] = []
    files: dict[str, Path] = {}
    folders = _folders(unit for unit, _ in heaps)
    for (unit, _), heap in sorted(heaps.items()):
        single, copies = _without_copies(heap)
        beaten += [{**copy.public(), "why": "the same file again"} for copy in copies]
        chosen = _chosen(single, job.which)
        if len(single) > len({piece.rank[:2] for piece in single}) and job.which != "best":
            tally.notes.append(
                f"{unit} handed in {chosen[0].exercise or chosen[0].stem} {len(single)} times, and "
                f"nothing says which came last: {chosen[0].source} counts. Give --times TABLE."
            )
        for piece in single:
            if piece not in chosen:
                why = f"another one counts ({job.which}): {chosen[0].source}"
                beaten.append({**piece.public(), "why": why})
        for piece in chosen:
            taken = (
                name.split("/")[1][:-6] for name in files if name.startswith(f"{folders[unit]}/")
            )
            stem = safe_name(piece.exercise or piece.stem, taken)
            file = f"{folders[unit]}/{stem}.ipynb"
            files[file] = piece.staged
            counting.append({**piece.public(), "file": file})
            if not piece.exercise:
                tally.notes.append(f"{file} answers no exercise that has a solution here.")
            if piece.told_late and piece.late_s is None:
                tally.notes.append(
                    f"{piece.source} is told late, and not how late: give --due and --times."
                )
    return _whole(job, tally, counting, beaten), files


def _folders(units: Iterable[str]) -> dict[str, str]:
    """Student or group → the name of its folder."""
    names: dict[str, str] = {}
    for unit in sorted(set(units)):
        names[unit] = safe_name(unit, names.values())
    return names


def _without_copies(heap: Sequence[_Piece]) -> tuple[list[_Piece], list[_Piece]]:
    """One of each content, the earliest: to hand in the same again is not to be late."""
    kept: dict[str, _Piece] = {}
    copies: list[_Piece] = []
    for piece in sorted(heap, key=lambda piece: piece.rank):
        if piece.digest in kept:
            copies.append(piece)
        else:
            kept[piece.digest] = piece
    return list(kept.values()), copies


def _whole(
    job: Collecting,
    tally: _Tally,
    counting: list[dict[str, Any]],
    beaten: list[dict[str, Any]],
) -> dict[str, Any]:
    people = list(job.roster) or sorted(tally.people.values(), key=lambda student: student.id)
    there = {(student, s["exercise"]) for s in counting for student in s["students"]}
    asked = sorted(
        {s["exercise"] for s in counting if s["exercise"]} | set(job.deadlines.by_exercise) - {""}
    )
    missing = [
        {"student": student.id, "exercise": exercise}
        for student in people
        for exercise in asked
        if len(job.roster) and (student.id, exercise) not in there
    ]
    return {
        "version": VERSION,
        "which": job.which,
        "late": job.deadlines.rule.text,
        "has_roster": bool(len(job.roster)),
        "roster": [student.public() for student in people],
        "exercises": asked,
        "layouts": dict(Counter(s["layout"] for s in counting)),
        "submissions": counting,
        "superseded": beaten,
        "not_understood": tally.odd,
        "passed_over": tally.noise,
        "missing": missing,
        "same_files": _same_files(counting),
        "notes": list(dict.fromkeys(tally.notes)),
    }


def _same_files(counting: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Files that several students or groups handed in byte for byte."""
    owners: dict[str, list[str]] = {}
    for submission in counting:
        owners.setdefault(submission["digest"], []).append(submission["file"])
    return [{"digest": d, "files": files} for d, files in owners.items() if len(files) > 1]


def _write(
    out: Path,
    document: Mapping[str, Any],
    files: Mapping[str, Path],
    earlier: Mapping[str, Any] | None,
) -> None:
    """Write the files, take away those that count no more, and last say what there is."""
    try:
        for file, staged in files.items():
            write_whole(out / file, staged.read_bytes())
        for known in earlier["submissions"] if earlier else ():
            if known["file"] not in files:
                (out / known["file"]).unlink(missing_ok=True)
        text = json.dumps(document, indent=1, ensure_ascii=True)
        write_whole(out / MANIFEST, text + "\n")
    except OSError as error:
        raise GradingError(
            f"the collection cannot be written: {error.strerror or error}", out
        ) from error
