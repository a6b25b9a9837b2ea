"""Answers that people really write, and what a learner reads of each."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from mlkit.grading.exercise.source import read_exercise
from mlkit.grading.exercise.words import Recorded

__all__ = ["HERE", "NAMES", "Readings", "read_by_learners", "recorded", "share_of"]

HERE = Path(__file__).parent
SOLUTIONS = HERE.parents[1] / "solutions"
NAMES = sorted(path.stem for path in SOLUTIONS.glob("*.ipynb"))
Readings = dict[str, dict[str, str]]


@functools.cache
def recorded(kind: Literal["right", "wrong"], exercise: str) -> list[Recorded]:
    """The answers of an exercise that stand beside its solution."""
    known, faults = read_exercise(SOLUTIONS / f"{exercise}.ipynb", with_folder=True)
    assert faults == []
    assert known.words is not None
    return [answer for answer in known.words.recorded if answer.kind == kind]


def share_of(answers: Sequence[Recorded], exercise: str, share: int) -> list[Recorded]:
    """Every n-th answer, from another one on in each exercise; all of them if n is 1.

    Those of `further.yaml` only then: the quick suites have their minutes.
    """
    if share == 1:
        return list(answers)
    usual = [answer for answer in answers if answer.file.name != "further.yaml"]
    return usual[NAMES.index(exercise) % share :: share]


def read_by_learners(notebooks: Mapping[str, Path], *, again: bool = False) -> dict[str, Readings]:
    """Whose → check → what `mlkit.check` says when a notebook is run (twice, if `again`)."""
    rounds = ["--again"] if again else []
    command = [sys.executable, str(HERE / "learner.py"), *rounds, *map(str, notebooks.values())]
    # As in the grader's kernels: what a wrong answer prints of a set hangs on the hashes of texts.
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    told = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", env=env)
    assert told.returncode == 0, told.stderr
    return dict(zip(notebooks, map(json.loads, told.stdout.splitlines()), strict=True))
