"""`python -m benchmarks.runs`: how long `mlkit runs` takes over a long history.

A real run of eighteen stages, three of which measure something, is repeated in the database and as
folders until there are 1,000 runs, then 10,000, each with other parameters and metrics. The command
is timed as a process, from its start to its end, in turns: the newest runs, the best ones, and a
filter over all. Printed are medians and the largest. Exit status 1 if the median of the plain
listing is above 0.4 s for 1,000 runs or above 1.0 s for 10,000.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from mlkit.testing import run_fake
from mlkit.testing.sketches import Sketch, write_pipeline

__all__ = ["LIMITS_S", "main", "measure", "write_history"]

LIMITS_S: Mapping[int, float] = {1_000: 0.4, 10_000: 1.0}
STAGES = 18
MEASURING = 3
COMMANDS: Mapping[str, Sequence[str]] = {
    "newest": (),
    "best": ("--sort", "-s18.m0"),
    "filter": ("--filter", "rows > 5000 and status == succeeded and s18.m0 >= 0.5"),
}


def write_history(folder: Path, count: int) -> Path:
    """Make a pipeline with so many runs; gives its folder.

    Parameters
    ----------
    folder : Path
        An empty folder.
    count : int
        How many runs.
    """
    measures = "import json\nfrom pathlib import Path\n"
    measures += "Path(out).write_text(json.dumps({f'm{n}': n / 7 for n in range(4)}))"
    sketches = []
    for n in range(1, STAGES + 1):
        measuring = n > STAGES - MEASURING
        keys = {"metrics": {f"m{i}": f"out.m{i}" for i in range(4)}} if measuring else {}
        sketches.append(
            Sketch(
                name=f"s{n}",
                upstream=(f"s{n - 1}",) if n > 1 else (),
                body=measures,
                file=f"s{n}.json",
                declares="rows: int = 1",
                keys=keys,
            )
        )
    file = write_pipeline(folder, *sketches, name="long", parameters={"rows": 1, "seed": 1})
    first = run_fake(file)
    assert first.ok
    runs = folder / "runs"
    with sqlite3.connect(runs / "mlkit.db") as database:
        for number in range(1, count):
            _repeat(database, first.run_id, number)
    database.close()
    record = runs / first.run_id / "run.json"
    for number in range(1, count):
        place = runs / _id(number)
        place.mkdir()
        os.link(record, place / "run.json")  # only whether it is there is looked at
    return folder


def _id(number: int) -> str:
    return f"20200101-{number:06}-000-{number % 65536:04x}"


def _repeat(database: sqlite3.Connection, run_id: str, number: int) -> None:
    """Write a run once more, with another id, other parameters and other metrics."""
    new = _id(number)
    database.execute(
        "INSERT INTO runs(run_id, pipeline, status, started, ended, document) "
        "SELECT ?, pipeline, status, started + ?, ended + ?, json_set(document, '$.turn', ?, "
        "'$.parameters.rows', ?, '$.parameters.seed', ?) FROM runs WHERE run_id = ?",
        (new, number, number, number + 1, number * 7 % 10_000, number % 5, run_id),
    )
    for table, columns in (
        ("stages", "id, place, stage, status, reason, started, ended, result, document"),
        ("attempts", "stage, number, status, started, ended, error_type, document"),
    ):
        database.execute(
            f"INSERT INTO {table}(run_id, {columns}) "
            f"SELECT ?, {columns} FROM {table} WHERE run_id = ?",
            (new, run_id),
        )
    database.execute(
        "INSERT INTO metrics(run_id, place, number, stage, name, value) SELECT ?, place, number, "
        "stage, name, value + ? FROM metrics WHERE run_id = ?",
        (new, number * 13 % 1000 / 1000, run_id),
    )


def measure(folder: Path, repeats: int) -> dict[str, list[float]]:
    """Time each command as a process, in turns.

    Parameters
    ----------
    folder : Path
        From `write_history`.
    repeats : int
        How often.
    """
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    command = [str(Path(sys.executable).with_name("mlkit")), "runs"]
    for _ in range(repeats):
        for name, options in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(
                [*command, *options], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            taken[name].append(time.perf_counter() - start)
    return taken


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say whether the limits are kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--runs", type=int, nargs="+", default=list(LIMITS_S))
    given = parser.parse_args(arguments)
    kept = True
    for count in given.runs:
        with tempfile.TemporaryDirectory(prefix="mlkit-runs-") as place:
            taken = measure(write_history(Path(place) / "p", count), given.repeats)
        for name, seconds in taken.items():
            print(f"{count:>7,} runs  {name:<8} {median(seconds):.3f} s  (max {max(seconds):.3f})")
        limit = LIMITS_S.get(count)
        kept = kept and (limit is None or median(taken["newest"]) <= limit)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
