"""The lessons in their order, and how far a learner has come with their exercises."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.exercise.source import GIVEN, Exercise
from mlkit.grading.exercise_progress import progress
from mlkit.grading.notebook_cells import read_cells
from mlkit.grading.submissions import find_solutions, load_exercises
from mlkit.inside.checks.check_history import stub_digest
from mlkit.inside.checks.check_notebook import cell_text

__all__ = ["LESSONS", "PARTS", "Lesson", "ProgressBook", "State"]


class State(StrEnum):
    """How far one exercise has come."""

    SOLVED = "solved"
    ATTEMPTED = "not right yet"
    BEGUN = "begun, not checked"
    TO_DO = "to do"
    MISSING = "no exercise here"


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One lesson: its file's stem, its title, and the exercise that it ends in."""

    slug: str
    title: str
    exercise: str

    @property
    def number(self) -> int:
        """From 1."""
        return int(self.slug[:2])


def _lesson(slug: str, title: str, exercise: str) -> Lesson:
    return Lesson(slug=slug, title=title, exercise=exercise)


PARTS: Mapping[str, tuple[Lesson, ...]] = {
    "Foundations": (
        _lesson("01-why-pipelines", "Why pipelines", "11-first-pipeline"),
        _lesson("02-dags", "DAGs", "01-dags"),
        _lesson("03-stage-notebooks", "Stage notebooks", "06-stage-notebook"),
        _lesson("04-chaining", "Chaining", "12-chaining"),
    ),
    "Robustness": (
        _lesson("05-idempotency", "Idempotency", "03-idempotency"),
        _lesson("06-retries", "Retries", "05-retries"),
        _lesson("07-branches", "Branches and gates", "07-branching"),
        _lesson("08-fan-out", "Fan-out", "13-honest-selection"),
    ),
    "Good practice": (
        _lesson("09-configuration", "Configuration", "08-configuration"),
        _lesson("10-observability", "Observability", "14-observability"),
        _lesson("11-testing", "Testing", "10-test-the-pipeline"),
    ),
    "Orchestrators": (
        _lesson("12-airflow", "Airflow", "02-broken-dag"),
        _lesson("13-kubeflow", "Kubeflow", "15-broken-component"),
        _lesson("14-prefect", "Prefect", "04-parallel-models"),
        _lesson("15-choosing-an-orchestrator", "Choosing one", "09-find-the-bug"),
    ),
    "In service": (
        _lesson("16-schedules", "Schedules", "16-schedules"),
        _lesson("17-serving", "Serving", "17-registry"),
        _lesson("18-capstone", "Capstone", "18-capstone"),
    ),
}
"""The parts of the course, each with its lessons."""

LESSONS = tuple(lesson for part in PARTS.values() for lesson in part)


def _digest(notebook: Path) -> str:
    """The identity of what a learner wrote: the sources of the cells, without outputs."""
    sources = [cell_text(cell) for cell in read_cells(notebook)]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def _is_untouched(notebook: Path, exercise: Exercise) -> bool:
    """Whether every answer is still the stub that the exercise came with."""
    sources = {cell["id"]: cell_text(cell) for cell in read_cells(notebook)}
    return all(
        name not in sources or stub_digest(sources[name]) == stub_digest(stub)
        for name, stub in exercise.answers.items()
    )


class ProgressBook:
    """Which exercises are solved: graded as `mlkit exercises` does, and remembered.

    Parameters
    ----------
    home : Path
        The folder with `exercises/`, and `solutions/` or the exercises as they were given.
    file : Path
        Where grades are remembered; one counts until the notebook is changed.
    """

    def __init__(self, home: Path, file: Path) -> None:
        self.home, self.file = home, file
        try:
            self._exercises = load_exercises(find_solutions(self._solutions()))
        except GradingError:
            self._exercises = {}

    def _solutions(self) -> Path:
        """By what answers are judged: in a folder for learners by what was given alone."""
        given = self.home / GIVEN
        return given if given.is_dir() else self.home / "solutions"

    def notebook(self, name: str) -> Path:
        """Where a learner's copy of an exercise stands."""
        return self.home / "exercises" / f"{name}.ipynb"

    def states(self) -> dict[str, State]:
        """Every lesson's exercise, without running anything."""
        kept = self._kept()
        return {lesson.exercise: self._state(lesson.exercise, kept) for lesson in LESSONS}

    def _state(self, name: str, kept: Mapping[str, Any]) -> State:
        path, exercise = self.notebook(name), self._exercises.get(name)
        if exercise is None or not path.exists():
            return State.MISSING
        try:
            if _is_untouched(path, exercise):
                return State.TO_DO
            entry = kept.get(name, {})
            if entry.get("digest") != _digest(path):
                return State.BEGUN
        except GradingError:
            return State.BEGUN
        return State.SOLVED if entry.get("status") == "solved" else State.ATTEMPTED

    def _kept(self) -> dict[str, Any]:
        try:
            kept = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def check(self, say: Callable[[str], None]) -> dict[str, State]:
        """Grade what has been begun, and remember it.

        Parameters
        ----------
        say : callable
            Told each grade as it comes.

        Raises
        ------
        GradingError
            If the solutions are missing.
        """
        begun = [name for name, state in self.states().items() if state is State.BEGUN]
        if begun:
            digests = {name: _digest(self.notebook(name)) for name in begun}
            exercises = self.home / "exercises"
            rows = progress(exercises, self._solutions(), say, only=begun)["exercises"]
            graded = {
                row["name"]: {"status": row["status"], "digest": digests[row["name"]]}
                for row in rows
            }
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(json.dumps({**self._kept(), **graded}, indent=1), "utf-8")
        return self.states()
