"""Write answers into an exercise's notebook, as a learner would hand it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlkit.grading.exercise.source import Exercise, exercise_notebook, notebook_text
from mlkit.grading.exercise.words import Recorded

__all__ = ["hand_in"]


def hand_in(exercise: Exercise, answer: Recorded | None, folder: Path) -> Path:
    """Write an exercise's notebook with an answer in it into a new folder.

    Parameters
    ----------
    exercise : Exercise
        The exercise.
    answer : Recorded or None
        The answer; without one the notebook is as learners get it.
    folder : Path
        The folder, which must not be there.

    Returns
    -------
    Path
        The notebook.
    """
    notebook = exercise_notebook(exercise)
    if answer is not None:
        sources = answer.sources(exercise.solution)
        notebook["cells"] = list(_cells(notebook["cells"], sources, answer))
    folder.mkdir(parents=True)
    path = folder / f"{exercise.name}.ipynb"
    path.write_text(notebook_text(notebook), encoding="utf-8")
    return path


def _cells(
    cells: list[dict[str, Any]], sources: Mapping[str, str], answer: Recorded
) -> Iterator[dict[str, Any]]:
    for cell in cells:
        name = cell["id"]
        short = name.removeprefix("answer-")
        if name in answer.above:
            yield _own_cell(f"above-{short}", answer.above[name])
        if name in sources:
            cell = {**cell, "source": sources[name].splitlines(keepends=True)}
        yield cell
        if name in answer.below:
            yield _own_cell(f"below-{short}", answer.below[name])


def _own_cell(name: str, source: str) -> dict[str, Any]:
    return {
        "id": name,
        "cell_type": "code",
        "metadata": {},
        "source": source.splitlines(keepends=True),
        "outputs": [],
        "execution_count": None,
    }
