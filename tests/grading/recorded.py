"""Answers that people really write: read from folders, and made into notebooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from mlkit.grading.exercise.source import Exercise, exercise_notebook

__all__ = [
    "HERE",
    "NAMES",
    "Readings",
    "Recorded",
    "read_by_learners",
    "recorded",
    "share_of",
    "write_submission",
]

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in (HERE.parents[1] / "solutions").glob("*.ipynb"))
Readings = dict[str, dict[str, str]]
Kind = Literal["right", "wrong"]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One answer to an exercise: what differs from the model, and what must come of it.

    Parameters
    ----------
    exercise, name : str
        The exercise, and what is told of the answer in a few words.
    kind : str
        `right`: it must have full marks; `wrong`: a check catches it.
    file : str
        The name of the file that it stands in.
    answers : Mapping
        Answer id → source, in place of the model's.
    edits : Mapping
        Answer id → what is replaced in the model's (`old`, `new`), for answers that are long texts.
    above, below : Mapping
        Answer id → the source of a cell of the learner's own that stands there.
    caught_by, says : str
        Of a wrong answer: the check that must not pass, and a part of what the learner reads there.
    """

    exercise: str
    name: str
    kind: Kind
    file: str
    answers: Mapping[str, str] = field(default_factory=dict)
    edits: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    above: Mapping[str, str] = field(default_factory=dict)
    below: Mapping[str, str] = field(default_factory=dict)
    caught_by: str = ""
    says: str = ""


def recorded(kind: Kind, exercise: str) -> list[Recorded]:
    """The answers of an exercise: every file of its folder, or the one file of its name."""
    folder = HERE / f"{kind}_answers"
    files = [folder / f"{exercise}.yaml", *sorted((folder / exercise).glob("*.yaml"))]
    return [
        Recorded(exercise=exercise, kind=kind, file=file.name, **entry)
        for file in files
        if file.exists()
        for entry in YAML(typ="safe").load(file)
    ]


def share_of(answers: Sequence[Recorded], exercise: str, share: int) -> list[Recorded]:
    """Every n-th answer, from another one on in each exercise; all of them if n is 1."""
    return list(answers[NAMES.index(exercise) % share :: share])


def write_submission(folder: Path, exercise: Exercise, answer: Recorded | None) -> Path:
    """An exercise's notebook with an answer in it; the untouched exercise without one."""
    notebook = exercise_notebook(exercise)
    if answer is not None:
        sources = _sources(exercise, answer)
        notebook["cells"] = list(_cells(notebook["cells"], sources, answer))
    folder.mkdir(parents=True)
    path = folder / f"{exercise.name}.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def read_by_learners(notebooks: Mapping[str, Path], *, again: bool = False) -> dict[str, Readings]:
    """Whose → check → what `mlkit.check` says when a notebook is run (twice, if `again`)."""
    rounds = ["--again"] if again else []
    command = [sys.executable, str(HERE / "learner.py"), *rounds, *map(str, notebooks.values())]
    # As in the grader's kernels: what a wrong answer prints of a set hangs on the hashes of texts.
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    told = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", env=env)
    assert told.returncode == 0, told.stderr
    return dict(zip(notebooks, map(json.loads, told.stdout.splitlines()), strict=True))


def _sources(exercise: Exercise, answer: Recorded) -> dict[str, str]:
    sources = {**exercise.solution, **answer.answers}
    for name, edits in answer.edits.items():
        for edit in edits:
            assert edit["old"] in sources[name], f"{answer.name!r}: there is no {edit['old']!r}"
            sources[name] = sources[name].replace(edit["old"], edit["new"])
    unknown = {*sources, *answer.above, *answer.below} - exercise.answers.keys()
    assert not unknown, f"{answer.name!r} names answers that the exercise does not have: {unknown}"
    return sources


def _cells(
    cells: Sequence[dict[str, Any]], sources: Mapping[str, str], answer: Recorded
) -> Iterator[dict[str, Any]]:
    for cell in cells:
        name = cell["id"]
        if name in answer.above:
            yield _own_cell(f"above-{len(name)}", answer.above[name])
        yield {**cell, "source": sources.get(name, cell["source"])}
        if name in answer.below:
            yield _own_cell(f"below-{len(name)}", answer.below[name])


def _own_cell(name: str, source: str) -> dict[str, Any]:
    return {
        "id": name,
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
