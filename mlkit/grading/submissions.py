"""Find the submissions among the paths given, whose they are, and what each one answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlkit.errors import GradingError
from mlkit.grading.restore import read_cells
from mlkit.grading.source import Exercise, load_exercise

__all__ = [
    "Found",
    "find_solutions",
    "find_submissions",
    "is_own_work",
    "kit_folder",
    "load_exercises",
    "match",
]


@dataclass(frozen=True, kw_only=True)
class Found:
    """A submission's file, and the student: the name of the folder that it stands in."""

    path: Path
    student: str


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
        remedy="Grading needs the solutions: install mlkit from its checkout (pip install -e), "
        "or give --solutions DIR.",
    )


def kit_folder() -> Path:
    """The checkout that mlkit is installed from."""
    return Path(__file__).resolve().parents[2]


def load_exercises(folder: Path, found: Sequence[Found] = ()) -> dict[str, Exercise]:
    """Name → exercise, for every solution notebook of a folder.

    Where submissions are given, and all bear names of exercises, only those are loaded.
    """
    paths = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    named = {submission.path.stem for submission in found}
    wanted = named if named and named <= paths.keys() else paths.keys()
    return {name: load_exercise(path) for name, path in paths.items() if name in wanted}


def find_submissions(paths: Sequence[Path]) -> list[Found]:
    """All notebooks among and below the paths, in order, each once.

    Raises
    ------
    GradingError
        If a path does not exist, or none holds a notebook.
    """
    found: dict[Path, Found] = {}
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise GradingError("there is no such file or folder", path)
        for notebook in _notebooks(path):
            absolute = notebook.absolute()
            found.setdefault(absolute, Found(path=absolute, student=absolute.parent.name))
    if not found:
        places = ", ".join(map(str, paths))
        raise GradingError(f"there is no notebook (*.ipynb) in {places}")
    return list(found.values())


def _notebooks(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for notebook in sorted(path.rglob("*.ipynb")):
        parts = notebook.relative_to(path).parts
        if not any(part.startswith(".") for part in parts):
            yield notebook


def match(path: Path, exercises: Mapping[str, Exercise]) -> Exercise | None:
    """The exercise that a submission answers: by the ids of its answer cells, else by its name.

    Raises
    ------
    GradingError
        If the file has another name than an exercise, and cannot be read.
    """
    if path.stem in exercises:
        return exercises[path.stem]
    ids = {cell["id"] for cell in read_cells(path)}
    best = max(exercises.values(), key=lambda e: len(ids & set(e.answers)), default=None)
    return best if best is not None and ids & set(best.answers) else None


def is_own_work(paths: Sequence[Path]) -> bool:
    """Whether all paths lie in the exercises of the checkout that mlkit is installed from.

    What lies in the folder worked in proves nothing: one works in other people's folders, too.
    """
    own = kit_folder() / "exercises"
    return all(path.resolve().is_relative_to(own) for path in paths)
