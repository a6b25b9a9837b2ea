"""`python -m mlkit.grading.worker`: grade what comes in on standard input, a JSON document a line.

A worker of its own keeps pytest in one process, and the batch alive whatever happens here.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlkit.grading.exercise.source import Exercise
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.submissions import load_exercises
from mlkit.grading.verdict.grader import Job, grade_submission

__all__ = ["answer", "main"]


@functools.cache
def _exercises(folder: str) -> dict[str, Exercise]:
    return load_exercises(Path(folder))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Grade one submission, and give the verdict as plain values."""
    job = Job(
        path=Path(request["path"]),
        student=request["student"],
        isolation=request["isolation"],
        secret=tuple(map(Path, request["secret"])),
        limits=Limits(**request["limits"]),
    )
    return asdict(grade_submission(job, _exercises(request["solutions"])))


def main() -> None:
    """Serve until standard input ends; what anything else prints goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        for line in sys.stdin:
            replies.write(json.dumps(answer(json.loads(line))) + "\n")
            replies.flush()


if __name__ == "__main__":
    main()
