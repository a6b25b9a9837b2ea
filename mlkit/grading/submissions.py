"""Find the submissions among the paths given, whose they are, and what each one answers."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.exercise.handout import RECORD
from mlkit.grading.exercise.kit import kit_folder
from mlkit.grading.exercise.source import Exercise, load_exercise
from mlkit.grading.layouts import named_pattern
from mlkit.grading.notebook_cells import Cell, read_cells
from mlkit.grading.sandbox.bounded import TooCostlyError, bounded
from mlkit.inside.checks.check_cells import all_names_bound, sort_cells
from mlkit.inside.checks.check_history import bound_names

__all__ = [
    "COLLECTION",
    "Found",
    "exercise_of",
    "find_solutions",
    "find_submissions",
    "is_own_work",
    "load_exercises",
    "match",
    "name_in",
]

COLLECTION = "collection.json"
"""What `mlkit class collect` writes beside the folders of a class."""
NOTEBOOK = ".ipynb"
GIVEN_ALONG = ("notebooks", "solutions")
# A download of Canvas, Moodle or Brightspace: the student's name, perhaps LATE, numbers, the file.
DOWNLOADED = re.compile(r"(?P<student>[^/]+?)[_-](?:LATE_)?\d+[_-].*", re.IGNORECASE)
ODD = {
    ".zip": "an archive: unpack it",
    ".tgz": "an archive: unpack it",
    ".gz": "an archive: unpack it",
    ".7z": "an archive: unpack it",
    ".dbc": "an archive of Databricks: ask for an export as IPython notebook (.ipynb)",
    ".rar": "an archive: unpack it",
    ".ipynb.txt": "a notebook under another name: take '.txt' off its name",
    ".ipynb.json": "a notebook under another name: take '.json' off its name",
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file that was handed in, and whose it is.

    Parameters
    ----------
    path : Path
        The file, or the folder in which there is none.
    student : str
        The folder directly below the path that was given; of a file that stands in that path, the
        name before the numbers of a download, else the path's own name.
    trouble : str
        Why it cannot be graded; empty for a notebook.
    """

    path: Path
    student: str
    trouble: str = ""


def find_solutions(folder: Path | None = None) -> Path:
    """The folder of solutions: the one given, or mlkit's own.

    The folder worked in is never asked: it may be a submission, with solutions to its own taste.

    Raises
    ------
    GradingError
        If there is none.
    """
    place = folder or kit_folder() / "solutions"
    if place.is_dir() and any(place.glob("*.ipynb")):
        return place.resolve()
    raise GradingError(
        f"there are no solution notebooks in {place}",
        remedy="Grading needs the solutions: give --solutions DIR. Your own work is checked in the "
        "folder that you were given, or in one that 'mlkit learn DIR' has written.",
    )


def load_exercises(folder: Path) -> dict[str, Exercise]:
    """Name → exercise, for every solution notebook of a folder.

    Raises
    ------
    GradingError
        If one breaks the format, or has a check of which nobody knows what it should print.
    """
    exercises = {path.stem: load_exercise(path) for path in sorted(folder.glob("*.ipynb"))}
    for name, exercise in exercises.items():
        for check in exercise.checks:
            if not check.expected:
                raise GradingError(
                    f"the check {check.id!r} has no reference output: every answer would fail",
                    folder / f"{name}.ipynb",
                    remedy=f"Run the solution: mlkit exercise check {name} --update "
                    f"--solutions {folder}",
                    code="E803",
                )
    return exercises


def find_submissions(paths: Sequence[Path], pattern: str | None = None) -> list[Found]:
    """All that was handed in among and below the paths, in order, each once.

    Parameters
    ----------
    paths : sequence of Path
        Notebooks, folders of them, or folders of students' folders.
    pattern : str, optional
        Where a student's name stands in a path below a given one: `{student}` once, `*` for
        anything within a name, `**` for anything at all.

    Raises
    ------
    GradingError
        If a path does not exist, none holds a notebook, or the pattern names no student.
    """
    named = None if pattern is None else named_pattern(pattern)
    found: dict[Path, Found] = {}
    for path in paths:
        if not os.path.lexists(path):
            raise GradingError(
                "there is no such file or folder",
                path,
                remedy="Name notebooks, or the folder that holds what was handed in",
            )
        for item in _handed_in(path.absolute(), named):
            found.setdefault(item.path, item)
    if not any(not item.trouble for item in found.values()):
        places = ", ".join(map(str, paths))
        odd = "; ".join(f"{item.path.name} is {item.trouble}" for item in found.values())
        raise GradingError(f"there is no notebook (*.ipynb) in {places}", remedy=odd or None)
    return list(found.values())


def _handed_in(path: Path, named: re.Pattern[str] | None) -> Iterator[Found]:
    if not path.is_dir():
        # A file that was named by itself is graded, or refused, whatever it is called.
        yield Found(path=path, student=_student(path, path.parent, named, alone=False))
        return
    root = Path(os.path.normpath(path))
    alone = _is_one_students(root)
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if (here / RECORD).is_file():  # what a learner was given beside the exercises is no answer
            folders[:] = [name for name in folders if name not in GIVEN_ALONG]
        for name in [name for name in folders if (here / name).is_symlink()]:
            folders.remove(name)
            place = here / name
            trouble = "a link to a folder, which is not followed"
            yield Found(path=place, student=_student(place, root, named, alone), trouble=trouble)
        for name in sorted(files):
            if not name.startswith("."):
                yield from _file(here / name, root, named, alone)
    if not alone:
        yield from _empty(root)


def _file(path: Path, root: Path, named: re.Pattern[str] | None, alone: bool) -> Iterator[Found]:  # noqa: FBT001 - private
    student = _student(path, root, named, alone)
    if path.suffix.lower() == NOTEBOOK:
        yield Found(path=path, student=student)
        return
    name = path.name.lower()
    for ending, trouble in ODD.items():
        if name.endswith(ending):
            yield Found(path=path, student=student, trouble=trouble)
            return


def _empty(root: Path) -> Iterator[Found]:
    """Folders directly below a class's folder in which nothing stands that could be graded."""
    for folder in sorted(root.iterdir()):
        if folder.is_symlink() or folder.name.startswith(".") or not folder.is_dir():
            continue
        files = [name.lower() for _, _, names in os.walk(folder) for name in names]
        if not any(name.endswith((NOTEBOOK, *ODD)) for name in files):
            trouble = "a folder without a notebook"
            yield Found(path=folder, student=folder.name, trouble=trouble)


def _is_one_students(root: Path) -> bool:
    """Whether a folder is one person's: it has `exercises/`, or notebooks that are no download.

    What was collected never is, even if somebody calls themselves exercises. What a folder is
    called itself says nothing: a class may well hand in to one named `exercises`.
    """
    if (root / COLLECTION).is_file():
        return False
    if (root / "exercises").is_dir():
        return True
    notebooks = [p for p in root.iterdir() if p.suffix.lower() == NOTEBOOK and not p.is_dir()]
    if _is_class(root):
        return False
    return bool(notebooks) and not all(DOWNLOADED.fullmatch(p.name) for p in notebooks)


def _is_class(root: Path) -> bool:
    """Whether two folders or more hold a notebook of one name, directly: beside them lies a copy.

    Somebody's own folder has an old version somewhere, seldom two of the same.
    """
    homes: Counter[str] = Counter()
    for folder in root.iterdir():
        if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith("."):
            homes.update({p.name.lower() for p in folder.glob("*.[iI][pP][yY][nN][bB]")})
    return any(count > 1 for count in homes.values())


def _student(path: Path, root: Path, named: re.Pattern[str] | None, alone: bool) -> str:  # noqa: FBT001 - private
    """Whose a file is."""
    inner = path.relative_to(root)
    match = named.fullmatch(inner.as_posix()) if named else None
    if match is None and len(inner.parts) == 1 and path.suffix and not alone:
        match = DOWNLOADED.fullmatch(path.name)
    if match is not None:
        return match["student"]
    return root.name if alone or (len(inner.parts) == 1 and path.suffix) else inner.parts[0]


def name_in(path: Path, names: Iterable[str]) -> str:
    """The exercise that a file's name speaks of: `Copy of 05-retries (1).ipynb`; empty if none."""
    stem = path.name.lower()
    spoken = [name for name in names if name.lower() in stem]
    return max(spoken, key=len, default="")


def match(path: Path, cells: Sequence[Cell], exercises: Mapping[str, Exercise]) -> Exercise | None:
    """The exercise that a submission answers, told by its cells, and only then by its name.

    Parameters
    ----------
    path : Path
        The file; its name decides between exercises that its cells fit equally.
    cells : sequence of Mapping
        Its cells.
    exercises : Mapping
        The exercises by name.
    """
    named = name_in(path, exercises)
    fits = {name: _fit(cells, exercise) for name, exercise in exercises.items()}
    best = max(fits, key=lambda name: (fits[name], name == named), default="")
    return exercises[best] if best and fits[best] else None


def exercise_of(path: Path, name: str, exercises: Mapping[str, Exercise]) -> str:
    """The exercise that a file answers; empty if neither its name nor its cells tell.

    Parameters
    ----------
    path : Path
        The file; its cells are read where its name says nothing, with limits.
    name : str
        What it is called.
    exercises : Mapping
        The exercises by name.
    """
    named = name_in(Path(name), exercises)
    if named:
        return named

    def read() -> str:
        found = match(Path(name), read_cells(path), exercises)
        return found.name if found else ""

    try:
        return bounded(read)
    except (GradingError, TooCostlyError):
        return ""  # the grader says what is wrong with the file


def _fit(cells: Sequence[Cell], exercise: Exercise) -> int:
    """How many of an exercise's code cells a notebook has, and how many answers it defines."""
    found = sort_cells(cells, exercise.given_code)
    defined = set().union(*map(all_names_bound, found.own))
    answered = sum(
        bool(bound_names(stub)) and bound_names(stub) <= defined
        for name, stub in exercise.answers.items()
        if name not in found.given
    )
    return sum(name.startswith(("answer-", "check-")) for name in found.given) + answered


def is_own_work(paths: Sequence[Path]) -> bool:
    """Whether all paths lie in the exercises of the checkout that mlkit is installed from.

    What lies in the folder worked in proves nothing: one works in other people's folders, too.
    """
    own = kit_folder() / "exercises"
    return all(path.resolve().is_relative_to(own) for path in paths)
