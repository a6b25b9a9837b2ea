"""`python -m benchmarks.folders`: what a folder of many files costs as an artifact.

Ten thousand files in a hundred subfolders are taken into a store (read, digested, written a second
time, made read-only) and copied with `cp -r`, in turns on fresh folders. `cp` leaves the bytes to
the system, the store has them reach the disk before it relies upon them, so `sync -f` stands beside
both. Printed are medians and where the store's time goes: `copied` is the same writing without
digests, `digested` the same reading without writing. Exit status 1 if taking costs more than twice
as much as `cp -r`, both with the sync.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from statistics import median

from mlkit.store.artifact_store import ArtifactStore
from mlkit.store.marks import copy_read_only

__all__ = ["MOST_RATIO", "Costs", "main", "measure", "write"]

MOST_RATIO = 2.0
_SUBFOLDERS = 100


class Costs(dict[str, float]):
    """Seconds, by what was done."""


def write(folder: Path, count: int, size_bytes: int) -> Path:
    """Make a folder of so many files with other bytes each."""
    for number in range(count):
        place = folder / f"{number % _SUBFOLDERS:02}" / f"{number:05}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(os.urandom(size_bytes))
    return folder


def measure(root: Path, count: int, size_bytes: int) -> Costs:
    """Do each of them once, on a folder of its own that was just written, and clear up.

    Parameters
    ----------
    root : Path
        An empty folder on the disk that is meant.
    count : int
        How many files.
    size_bytes : int
        The size of each.
    """
    costs = Costs()
    for name, work in _WORK.items():
        source = write(root / "source", count, size_bytes)
        _sync(root)
        start = time.perf_counter()
        work(source, root / "target")
        costs[name] = time.perf_counter() - start
        _sync(root)
        costs[f"{name}, synced"] = time.perf_counter() - start
        shutil.rmtree(source)
        shutil.rmtree(root / "target", ignore_errors=True)
    return costs


def _sync(folder: Path) -> None:
    subprocess.run(["sync", "-f", str(folder)], check=True)


def _cp(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)


def _take(source: Path, target: Path) -> None:
    ArtifactStore(target).take(source)


def _link(source: Path, target: Path) -> None:
    """What a reuse does: the second run's folder links to the first one's."""
    shutil.copytree(source, target, copy_function=os.link)


def _copied(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=copy_read_only)


def _digested(source: Path, target: Path) -> None:
    for place, _, names in os.walk(source):
        for name in names:
            sha256((Path(place) / name).read_bytes()).hexdigest()


_WORK: dict[str, Callable[[Path, Path], None]] = {
    "cp -r": _cp,
    "taken": _take,
    "copied": _copied,
    "digested": _digested,
    "linked": _link,
}


def main() -> int:
    """Measure, print, and say by the exit status whether the goal was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.folders", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000, help="how many (default 10000)")
    parser.add_argument("--bytes", type=int, default=4_000, help="in each (default 4000)")
    parser.add_argument("--rounds", type=int, default=3, help="in turns (default 3)")
    parser.add_argument("--on", type=Path, help="a folder on the disk that is meant")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-folders-", dir=asked.on) as folder:
        rounds = [
            measure(Path(folder), asked.files, asked.bytes) for _ in range(max(1, asked.rounds))
        ]
    costs = {name: median(each[name] for each in rounds) for name in rounds[0]}
    base, synced = costs["cp -r"], costs["cp -r, synced"]
    print(f"{asked.files:,} files of {asked.bytes:,} bytes")
    print(f"{'':>10} {'s':>8} {'× cp -r':>8} {'synced, s':>10} {'× cp -r':>8}")
    for name in _WORK:
        one, other = costs[name], costs[f"{name}, synced"]
        print(f"{name:>10} {one:>8.2f} {one / base:>8.2f} {other:>10.2f} {other / synced:>8.2f}")
    ratio = costs["taken, synced"] / synced
    print(f"taken into the store, a folder costs {ratio:.2f} × `cp -r` (goal: ≤ {MOST_RATIO:.0f})")
    return 0 if ratio <= MOST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
