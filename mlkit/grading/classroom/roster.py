"""Who is in the class: a table with names and ids, in which a file's owner is looked up.

Any table that a learning platform exports will do, since their titles are known: a gradebook of
Canvas or Brightspace, a grading worksheet of Moodle, a roster of GitHub Classroom.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.grading.tables import Row, Table, read_table

__all__ = ["Roster", "Student", "folded", "read_roster", "safe_name", "spelled"]

# Field → the titles under which it is known; of those that are there the first that is filled.
TITLES: Mapping[str, tuple[str, ...]] = {
    "id": ("student", "student id", "id number", "identifier", "roster identifier"),
    "name": ("name", "full name", "student name", "display name"),
    "email": ("email", "email address", "e-mail", "e-mail address", "mail"),
    "section": ("section", "sections", "class"),
    "group": ("group", "team", "group name"),
    "canvas": ("canvas id", "canvas user id"),
    "sis": ("sis user id", "sis id"),
    "login": ("login", "sis login id", "username", "user name", "login id"),
    "moodle": ("moodle id", "participant", "participant id"),
    "brightspace": ("brightspace id", "orgdefinedid", "org defined id"),
    "github": ("github", "github username", "github login"),
}
LATIN_MARKS = re.compile("(?<=[a-z])[\u0300-\u036f]+")
KEYS = ("canvas", "moodle", "brightspace", "github", "sis", "login", "email")


@dataclass(frozen=True, kw_only=True)
class Student:
    """One person of the class.

    Parameters
    ----------
    id : str
        By which the person is known everywhere in mlkit.
    name, email, section, group : str
        As the roster has them; empty where it has nothing.
    keys : Mapping
        Platform (`canvas`, `sis`, `login`, `moodle`, `brightspace`, `github`) → the id there.
    """

    id: str
    name: str = ""
    email: str = ""
    section: str = ""
    group: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The name, or the id of somebody without one."""
        return self.name or self.id

    def public(self) -> dict[str, Any]:
        """As plain values."""
        return {**vars(self), "keys": dict(self.keys)}


@dataclass(frozen=True)
class Roster:
    """The class; empty if nobody has said who is in it.

    Parameters
    ----------
    students : tuple of Student
        In the roster's order.
    """

    students: tuple[Student, ...] = ()

    def __len__(self) -> int:
        return len(self.students)

    def __iter__(self) -> Iterator[Student]:
        return iter(self.students)

    def find(self, key: str, platform: str = "") -> tuple[Student, ...]:
        """Everybody whom a name or an id may mean: one is an answer, several are a question.

        Parameters
        ----------
        key : str
            A name, an id, an address or a login.
        platform : str
            Of which platform it is an id; then nothing else counts.
        """
        if platform:
            return _nearest(key, self._by_platform.get((platform, folded(key)), ()))
        for table in (self._by_id, self._by_key):
            if folded(key) in table:
                return _nearest(key, table[folded(key)])
        return self._named(key)

    def _named(self, name: str) -> tuple[Student, ...]:
        """Whoever bears a name; one that has accents means nobody who is written without them."""
        people = tuple(self._by_name.get(folded(name), ()))
        written = _with_accents(name)
        if written == folded(name):
            return people
        exact = (s for s in people if written in map(_with_accents, _ways_to_write(s.name)))
        return tuple(exact) or people

    def with_id(self, text: str, *, as_it_stands: bool) -> tuple[Student, ...]:
        """Everybody one of whose ids a text is; an address is none.

        Parameters
        ----------
        text : str
            Perhaps an id.
        as_it_stands : bool
            Whether signs and accents must be those of the id, too.
        """
        table = self._by_spelling if as_it_stands else self._by_own_id
        return tuple(table.get((spelled if as_it_stands else folded)(text), ()))

    def members(self, student: Student) -> tuple[Student, ...]:
        """The student's group, the student first; alone without one."""
        others = (s for s in self.students if s.group and s.group == student.group)
        return (student, *(other for other in others if other.id != student.id))

    @cached_property
    def _by_id(self) -> dict[str, list[Student]]:
        return _table((s.id, s) for s in self.students)

    @cached_property
    def _by_key(self) -> dict[str, list[Student]]:
        return _table((key, s) for s in self.students for key in _ids_of(s)[1:])

    @cached_property
    def _by_own_id(self) -> dict[str, list[Student]]:
        return _table((key, s) for s in self.students for key in (s.id, *s.keys.values()))

    @cached_property
    def _by_spelling(self) -> dict[str, list[Student]]:
        return _table(
            ((key, s) for s in self.students for key in (s.id, *s.keys.values())), spelled
        )

    @cached_property
    def _by_name(self) -> dict[str, list[Student]]:
        return _table((way, s) for s in self.students for way in _ways_to_write(s.name))

    @cached_property
    def _by_platform(self) -> dict[tuple[str, str], list[Student]]:
        table: dict[tuple[str, str], list[Student]] = {}
        for student in self.students:
            for platform, key in student.keys.items():
                table.setdefault((platform, folded(key)), []).append(student)
        return table


def _table(
    pairs: Iterable[tuple[str, Student]], compared: Callable[[str], str] | None = None
) -> dict[str, list[Student]]:
    table: dict[str, list[Student]] = {}
    for key, student in pairs:
        people = table.setdefault((compared or folded)(key), [])
        if key and student not in people:
            people.append(student)
    table.pop("", None)
    return table


def _nearest(key: str, people: Iterable[Student]) -> tuple[Student, ...]:
    """Those who are called exactly so, of `a.lee` and `alee`; if nobody is, all who may be meant.

    Of ids only: of names platforms leave out what they like.
    """
    found, wanted = tuple(people), spelled(key)
    exact = tuple(student for student in found if wanted in map(spelled, _ids_of(student)))
    return exact or found


def _ids_of(student: Student) -> tuple[str, ...]:
    return (student.id, *student.keys.values(), student.email, _head(student.email))


def _head(address: str) -> str:
    return address.partition("@")[0]


def spelled(text: str) -> str:
    """An id as it is told from others: its signs and accents count, upper case does not."""
    return unicodedata.normalize("NFC", text.strip()).casefold()


def folded(text: str) -> str:
    """A name or id as it is compared: without case, accents, blanks and punctuation.

    Platforms take them off in their file names, some all and some a few. Of other scripts than
    Latin a mark makes another letter, and stays.
    """
    return _letters(LATIN_MARKS.sub("", unicodedata.normalize("NFKD", text).casefold()))


def _with_accents(text: str) -> str:
    return _letters(unicodedata.normalize("NFKD", text).casefold())


def _letters(parts: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", parts) if c.isalnum())


def _ways_to_write(name: str) -> set[str]:
    """`Ann Lee Roy` is also `Roy, Ann Lee` and `Lee Roy, Ann`."""
    words = name.replace(",", " , ").split()
    if "," in words:
        at = words.index(",")
        return {" ".join(words), " ".join([*words[at + 1 :], *words[:at]])}
    return {" ".join([*words[at:], *words[:at]]) for at in range(len(words))}


def read_roster(path: Path) -> Roster:
    """Read a roster.

    Parameters
    ----------
    path : Path
        A table with one line a person: `student` (the id), `name`, `email`, `section`, `group`, and
        ids of platforms (`canvas_id`, `sis_user_id`, `login`, `moodle_id`, `brightspace_id`,
        `github`). An export of a platform has such columns under its own titles.

    Raises
    ------
    GradingError
        If it names nobody, or two people have one id; the line is named.
    """
    table = read_table(path)
    students: list[Student] = []
    lines: dict[str, int] = {}
    for row in table.rows:
        student = _student(table, row)
        if student is None:
            continue
        key = spelled(student.id)
        if key in lines:
            raise row.wrong(
                f"the id {student.id!r} stands in line {lines[key]}, too",
                "Every person needs an id of their own in the column 'student'.",
            )
        lines[key] = row.line
        students.append(student)
    of_folded = {folded(student.id): lines[spelled(student.id)] for student in students}
    for student in students:
        # A group has a folder of its own name; nobody else's may be called so.
        if folded(student.group) in of_folded:
            raise GradingError(
                f"the group {student.group!r} has the id of a student (line "
                f"{of_folded[folded(student.group)]})",
                path,
                lines[spelled(student.id)],
                remedy="Give the group another name.",
                code="E804",
            )
    if not students:
        raise GradingError(
            "the roster names nobody",
            path,
            remedy="It needs a line with titles ('student' or 'name'), and a line a person.",
            code="E804",
        )
    return Roster(tuple(students))


def _student(table: Table, row: Row) -> Student | None:
    """A person; None for a line that is about something else."""
    if "points possible" in row.get("student").casefold() or row.get("student") == "Student, Test":
        return None  # Canvas: the line below the titles, and the student that tries things out
    found = {name: row.get(*titles).lstrip("#") for name, titles in TITLES.items()}
    if table.has("sis user id", "sis login id") or (table.has("id") and table.has("section")):
        # A gradebook of Canvas: 'Student' holds the name, and 'ID' the id.
        found["name"], found["canvas"] = row.get("student", "name"), row.get("id", "canvas id")
        found["id"] = found["login"] or found["sis"] or found["canvas"]
    elif table.has("identifier") and row.get("identifier").casefold().startswith("participant"):
        # A grading worksheet of Moodle: 'Participant 123'.
        found["moodle"] = re.sub(r"\D", "", row.get("identifier"))
        found["id"] = row.get("student", "id number", "username")
    elif table.has("last name", "surname"):
        first, last = row.get("first name"), row.get("last name", "surname")
        found["name"] = found["name"] or f"{first} {last}".strip()
    person = found["id"] or row.get("id") or _id_of(found)
    if not person:
        raise row.wrong(
            "the line names nobody",
            "Fill 'student' (an id), 'name', 'email' or 'login'.",
        )
    return Student(
        id=person,
        **{name: found[name] for name in ("name", "email", "section", "group")},
        keys={name: found[name] for name in KEYS if name != "email" and found[name]},
    )


def _id_of(found: Mapping[str, str]) -> str:
    order = ("login", "sis", "brightspace", "github", "email", "canvas", "moodle", "name")
    return next((found[name] for name in order if found[name]), "")


def safe_name(text: str, taken: Iterable[str] = ()) -> str:
    """A name for a file or folder, on any system, that no other has.

    Parameters
    ----------
    text : str
        Anything; letters of all scripts stay.
    taken : iterable of str
        Names that are in use; they are compared without case, as some systems do.
    """
    name = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    name = re.sub(r"[^\w.@+-]+", "-", name).strip("-.")
    name = name.encode("utf-8")[:80].decode("utf-8", "ignore") or "_"
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name):
        name = f"_{name}"
    used = {other.casefold() for other in taken}
    free, number = name, 1
    while free.casefold() in used:
        number += 1
        free = f"{name}-{number}"
    return free
