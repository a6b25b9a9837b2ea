"""Return grades: a page and a zip a student, an index, a gradebook, and files for platforms."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.classroom.gradebook import Gradebook, Mark
from mlkit.grading.classroom.returned_pages import index_page, student_page
from mlkit.grading.classroom.roster import Student, safe_name
from mlkit.grading.tables import did_you_mean, table_text, write_whole

__all__ = ["LISTING", "Handback", "give_back"]

LISTING: Final = "returned.json"
VERSION: Final = 1
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a zip, so that equal grades are equal bytes."""


@dataclass(frozen=True, kw_only=True)
class Handback:
    """What to return, and how it is called elsewhere.

    Parameters
    ----------
    book : Gradebook
        What everybody has.
    out : Path
        Where it goes.
    titles : Mapping
        Exercise → what the platform calls it; its own name otherwise.
    """

    book: Gradebook
    out: Path
    titles: Mapping[str, str] = field(default_factory=dict)

    def title(self, exercise: str) -> str:
        """What a platform calls an exercise."""
        return self.titles.get(exercise, exercise)


def give_back(job: Handback) -> dict[str, Any]:
    """Write everything.

    Returns
    -------
    dict
        `{"folder", "students", "files", "notes"}`.

    Raises
    ------
    GradingError
        If a title is given to an exercise that nobody handed in, or the folder holds something
        else; then nothing was written.
    """
    for exercise in job.titles:
        if exercise not in job.book.exercises:
            raise GradingError(
                f"nobody has a grade for {exercise!r}",
                remedy=did_you_mean(exercise, job.book.exercises),
                code="E801",
            )
    if not job.book.students:
        raise GradingError("there is nobody to return grades to", job.book.folder)
    earlier = _earlier(job.out)
    names = _names(job.book.students)
    notes = [*job.book.notes, *_notes(job.book)]
    written: list[str] = []
    try:
        for place, content in _files(job, names):
            write_whole(job.out / place, content)
            written.append(place)
        for place in set(earlier) - set(written):
            (job.out / place).unlink(missing_ok=True)
        document = {
            "version": VERSION,
            "folder": str(job.out),
            "students": [_public(job.book, student, names) for student in job.book.students],
            "files": sorted(written),
            "notes": notes,
        }
        write_whole(job.out / LISTING, json.dumps(document, indent=1) + "\n")
    except OSError as error:
        reason = error.strerror or str(error)
        raise GradingError(f"grades cannot be written there: {reason}", job.out) from error
    return document


def _earlier(out: Path) -> list[str]:
    """The files that an earlier return wrote."""
    if not out.exists():
        return []
    try:
        if out.is_dir() and not any(out.iterdir()):
            return []
        document = json.loads((out / LISTING).read_text(encoding="utf-8"))
        if document["version"] == VERSION:
            # Only names that we give: an edited list cannot make us remove other files.
            return [n for n in document["files"] if not Path(n).is_absolute() and ".." not in n]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass  # told below
    raise GradingError(
        "this holds something else than grades that were returned",
        out,
        remedy="Give a new folder with --to DIR; nothing was written.",
        code="E806",
    )


def _names(students: Sequence[Student]) -> dict[str, str]:
    names: dict[str, str] = {}
    for student in students:
        names[student.id] = safe_name(student.id, names.values())
    return names


def _public(book: Gradebook, student: Student, names: Mapping[str, str]) -> dict[str, Any]:
    score, most = book.total(student.id)
    return {
        "student": student.id,
        "score": score,
        "max": most,
        "page": f"students/{names[student.id]}.html",
        "zip": f"zips/{names[student.id]}.zip",
        "exercises": {
            name: {"status": mark.status, "score": mark.score, "max": mark.max, "off": mark.off}
            for name in book.exercises
            for mark in [book.marks[student.id, name]]
        },
    }


def _files(job: Handback, names: Mapping[str, str]) -> Iterator[tuple[str, str | bytes]]:
    """Every file, one after the other, so that memory holds one."""
    book = job.book
    for student in book.students:
        page = student_page(book, student)
        yield f"students/{names[student.id]}.html", page
        yield f"zips/{names[student.id]}.zip", _zip(_of_student(book, student, page))
    yield "index.html", index_page(book, names)
    yield "gradebook.csv", gradebook_csv(book)
    yield "canvas.csv", canvas_csv(job)
    yield "brightspace.csv", brightspace_csv(job)
    yield "moodle.csv", moodle_csv(job)
    for exercise in book.exercises:
        if any(book.marks[s.id, exercise].participant for s in book.students):
            yield f"moodle-{exercise}.csv", moodle_worksheet(job, exercise)
            yield f"moodle-feedback-{exercise}.zip", _zip(_moodle_feedback(book, exercise))


def _of_student(book: Gradebook, student: Student, page: str) -> Iterator[tuple[str, bytes]]:
    yield "index.html", page.encode("utf-8", "backslashreplace")
    for exercise in book.exercises:
        mark = book.marks[student.id, exercise]
        feedback = _bytes_of(book.folder / mark.feedback) if mark.feedback else None
        if feedback is not None:
            yield f"{exercise}/feedback.html", feedback
        notebook = _bytes_of(mark.source) if mark.source else None
        if notebook is not None:
            yield f"{exercise}/{exercise}.ipynb", notebook


def _bytes_of(path: Path) -> bytes | None:
    """A regular file's bytes; links are not followed, and what is gone is left out."""
    try:
        return path.read_bytes() if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None


def _zip(files: Iterator[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in files:
            entry = zipfile.ZipInfo(place, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def gradebook_csv(book: Gradebook) -> str:
    """One line a student: the total, each exercise, and each of its checks."""
    checks = {
        name: list(
            dict.fromkeys(
                check.id for s in book.students for check in book.marks[s.id, name].checks
            )
        )
        for name in book.exercises
    }
    titles = ["student", "name", "email", "section", "group", "total", "out of"]
    for name in book.exercises:
        titles += [name, f"{name} out of", f"{name} status", f"{name} late off", f"{name} comment"]
        titles += [f"{name} {check}" for check in checks[name]]
    rows = []
    for student in book.students:
        row: list[Any] = [student.id, student.name, student.email, student.section, student.group]
        row += book.total(student.id)
        for name in book.exercises:
            mark = book.marks[student.id, name]
            found = {check.id: check.points for check in mark.checks}
            row += [_score(mark), mark.max, mark.status, mark.off, "; ".join(mark.comments)]
            row += [found.get(check) for check in checks[name]]
        rows.append(row)
    return table_text(titles, rows)


def _score(mark: Mark) -> float | None:
    """Points; nothing for what was not handed in, so that nobody's later grade is overwritten."""
    return None if mark.status in ("missing", "ungradable") and not mark.score else mark.score


def canvas_csv(job: Handback) -> str:
    """A gradebook that Canvas imports.

    Its columns, the order of the first five, and the line of points are those that Canvas' importer
    asks for: https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_importer.rb; an
    assignment is told by its title, or by its number in brackets behind it.
    """
    book = job.book
    titles = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    titles += [job.title(name) for name in book.exercises]
    most = [_most(book, name) for name in book.exercises]
    rows: list[list[Any]] = [["    Points Possible", "", "", "", "", *most]]
    for s in book.students:
        who = [s.shown, *(s.keys.get(k, "") for k in ("canvas", "sis", "login")), s.section]
        rows.append([*who, *(_score(book.marks[s.id, name]) for name in book.exercises)])
    return table_text(titles, rows)


def _most(book: Gradebook, exercise: str) -> float:
    return max(book.marks[student.id, exercise].max for student in book.students)


def brightspace_csv(job: Handback) -> str:
    """Grades that Brightspace imports: `TITLE Points Grade`, and a sign that ends each line.

    https://community.d2l.com/brightspace/kb/articles/3538-importing-grades
    """
    book = job.book
    titles = ["OrgDefinedId", "Username"]
    titles += [f"{job.title(name)} Points Grade" for name in book.exercises]
    rows = [
        [
            s.keys.get("brightspace", ""),
            s.keys.get("login", ""),
            *(_score(book.marks[s.id, name]) for name in book.exercises),
            "#",
        ]
        for s in book.students
    ]
    return table_text([*titles, "End-of-Line Indicator"], rows)


def moodle_csv(job: Handback) -> str:
    """Grades for Moodle's gradebook (Import, CSV file: map by email address or ID number).

    https://docs.moodle.org/en/Grade_import
    """
    book = job.book
    titles = ["ID number", "Full name", "Email address", *map(job.title, book.exercises)]
    rows = [
        [s.id, s.name, s.email, *(_score(book.marks[s.id, name]) for name in book.exercises)]
        for s in book.students
    ]
    return table_text(titles, rows)


def moodle_worksheet(job: Handback, exercise: str) -> str:
    """A grading worksheet for one of Moodle's assignments (Upload grading worksheet).

    Moodle asks for the columns Identifier, Grade and Last modified (grade):
    https://github.com/moodle/moodle/blob/main/mod/assign/feedback/offline/importgradeslib.php
    """
    titles = ["Identifier", "Full name", "Email address", "Grade", "Maximum Grade"]
    titles += ["Last modified (grade)", "Feedback comments"]
    rows = []
    for student in job.book.students:
        mark = job.book.marks[student.id, exercise]
        if mark.participant:
            who = [f"Participant {mark.participant}", student.name, student.email]
            rows.append([*who, _score(mark), mark.max, "", "\n".join(mark.comments)])
    return table_text(titles, rows)


def _moodle_feedback(book: Gradebook, exercise: str) -> Iterator[tuple[str, bytes]]:
    """Feedback files for Moodle (Upload multiple feedback files in a zip).

    Folders are called as in Moodle's own download, NAME_PARTICIPANT_assignsubmission_file_, with
    the last underscore: before Moodle 4.1 a name of four parts is passed over without a word.
    https://github.com/moodle/moodle/blob/main/mod/assign/feedback/file/importziplib.php
    """
    for student in book.students:
        mark = book.marks[student.id, exercise]
        feedback = _bytes_of(book.folder / mark.feedback) if mark.feedback else None
        if mark.participant and feedback is not None:
            name = safe_name(student.shown).replace("_", "-")
            yield f"{name}_{mark.participant}_assignsubmission_file_/feedback.html", feedback


def _notes(book: Gradebook) -> Iterator[str]:
    """Which platforms could only go by names."""
    wanted = {"canvas.csv": ("canvas", "sis", "login"), "brightspace.csv": ("brightspace", "login")}
    for file, keys in wanted.items():
        without = [s.id for s in book.students if not any(s.keys.get(k) for k in keys)]
        if without and len(without) < len(book.students):
            who = ", ".join(without[:5]) + (" …" if len(without) > 5 else "")
            yield f"{file}: the roster has no id of that platform for {who}."
        elif without:
            yield f"{file} has no ids of that platform: collect with its export as --roster."
    if not all(student.email for student in book.students):
        yield "moodle.csv: some have no address; map by ID number, or add addresses to the roster."
    for student in book.students:
        for told in book.unplaced.get(student.id, ()):
            yield (
                f"{student.id} handed in {told}, and nothing tells which exercise that answers: "
                "give points in manual.csv, or ask for the file again."
            )
        for exercise in book.exercises:
            if book.marks[student.id, exercise].status == "ungradable":
                yield (
                    f"{student.id} has no points for {exercise}, which could not be graded: "
                    "give some in manual.csv, or ask for the file again."
                )
