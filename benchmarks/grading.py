"""`python -m benchmarks.grading`: `mlkit grade` against as many `pytest --nbval` processes.

Each round grades the same submissions of 05-retries both ways, one way after the other, fresh each
time. The wall clock, as medians over the rounds and as a ratio; what one submission takes, and how
much memory the grading process itself took at most. `--alone` leaves the processes out, which take
minutes for a large class.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mlkit.grading.exercise.source import exercise_notebook, load_exercise

__all__ = ["main", "measure", "write_submissions"]

ROOT = Path(__file__).resolve().parents[1]
NAME = "05-retries"
MOST = 0.6


def write_submissions(folder: Path, count: int) -> list[Path]:
    """A class of students who have all solved the exercise."""
    exercise = load_exercise(ROOT / "solutions" / f"{NAME}.ipynb")
    notebook = exercise_notebook(exercise)
    for cell in notebook["cells"]:
        cell["source"] = exercise.solution.get(cell["id"], cell["source"])
    paths = [folder / f"student-{number:02}" / f"{NAME}.ipynb" for number in range(count)]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
    return paths


def measure(work: Callable[[], None]) -> float:
    """Do some work and say how long it took, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _grade(folder: Path, workers: int) -> float:
    """Grade; the most memory that the grading process took, in MiB."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from mlkit.grading.batch import Batch, grade_batch\n"
        "paths, solutions, workers = [Path(sys.argv[1])], Path(sys.argv[2]), int(sys.argv[3])\n"
        "done = grade_batch(Batch(paths=paths, solutions=solutions, workers=workers))\n"
        "assert done['isolation'] == 'sandboxed', done['isolation']\n"
        "assert all(s['score'] == s['max'] > 0 for s in done['submissions'])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    line = [sys.executable, "-c", code, str(folder), str(ROOT / "solutions"), str(workers)]
    return float(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)


def _nbval(paths: Sequence[Path]) -> None:
    for path in paths:
        line = [sys.executable, "-m", "pytest", "-q", "--nbval", str(path)]
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL, cwd=path.parent)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if grading takes at most 60 % of the wall clock of the processes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading", description=__doc__)
    parser.add_argument("--count", type=int, default=30, help="submissions")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--alone", action="store_true", help="measure mlkit grade only")
    options = parser.parse_args(arguments)
    ours: list[float] = []
    theirs: list[float] = []
    memory: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        paths = write_submissions(Path(name), options.count)
        for _ in range(options.rounds):
            ours.append(measure(lambda: memory.append(_grade(Path(name), options.workers))))
            if not options.alone:
                theirs.append(measure(lambda: _nbval(paths)))
    wall = statistics.median(ours)
    print(f"{options.count} submissions of {NAME}, {os.cpu_count()} processors, median wall clock")
    print(f"mlkit grade, sandboxed      {wall:6.1f} s")
    print(f"a submission                {wall / options.count:6.2f} s, {options.workers} workers")
    print(f"the grading process         {max(memory):6.0f} MiB at most")
    if options.alone:
        return 0
    ratio = wall / statistics.median(theirs)
    print(f"pytest --nbval, one by one  {statistics.median(theirs):6.1f} s")
    print(f"ratio                       {ratio:6.2f}")
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
