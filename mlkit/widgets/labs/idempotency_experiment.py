"""Run a step several times, kill one run in the middle, and look at the file after each."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.widgets.labs import idempotency_step
from mlkit.widgets.labs.idempotency_step import METHODS, rows

__all__ = ["METHODS", "POINTS", "Experiment", "Look", "Plan", "conduct", "judge"]

POINTS = {
    "opened": "right after the file was opened (or removed)",
    "half": "when half of the lines were written",
    "written": "when all lines were written, before the end",
}
"""Where a run can be killed, in words."""

_FILE = "delays.csv"
_DEADLINE_S = 30


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done.

    Parameters
    ----------
    method : str
        How the step writes; a key of `METHODS`.
    runs : int
        How often the step is run on the same input.
    killed_run : int, optional
        Which run is killed, from 1; None: no run is.
    killed_at : str
        Where it is killed; a key of `POINTS`.
    count : int
        How many lines a right result holds.
    """

    method: str = "append"
    runs: int = 3
    killed_run: int | None = None
    killed_at: str = "half"
    count: int = 4

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(
                f"there is no way to write called {self.method!r}",
                remedy=f"The ways are: {', '.join(METHODS)}",
            )
        if self.killed_at not in POINTS:
            raise UsageError(
                f"there is no point {self.killed_at!r} to kill a run at",
                remedy=f"The points are: {', '.join(POINTS)}",
            )
        if self.runs < 1 or self.count < 2:
            raise UsageError("too little to look at", remedy="Take 1 run and 2 lines or more")


@dataclass(frozen=True, kw_only=True)
class Look:
    """The folder after one run.

    Parameters
    ----------
    run : int
        Which run, from 1.
    killed : bool
        Whether it was killed by SIGKILL.
    lines : tuple of str, optional
        What stands in the file; None: there is no file.
    left_behind : tuple of str
        The names of other files in the folder.
    verdict : str
        `whole`, `missing`, `empty`, `part`, `too much`.
    """

    run: int
    killed: bool
    lines: tuple[str, ...] | None
    left_behind: tuple[str, ...]
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A plan, and what the file looked like after each run."""

    plan: Plan
    looks: tuple[Look, ...]

    @property
    def is_idempotent(self) -> bool:
        """Whether the file was whole after every run that was not killed."""
        return all(look.verdict == "whole" for look in self.looks if not look.killed)

    @property
    def kept_the_old(self) -> bool:
        """Whether a killed run that followed a good one left a whole file, the old or the new."""
        after_good = [
            look
            for before, look in zip(self.looks, self.looks[1:], strict=False)
            if look.killed and before.verdict == "whole"
        ]
        return all(look.verdict == "whole" for look in after_good)


def judge(lines: Sequence[str] | None, right: Sequence[str]) -> str:
    """Name the state of a file in one word or two. Pure."""
    if lines is None:
        return "missing"
    if not lines:
        return "empty"
    if list(lines) == list(right):
        return "whole"
    return "part" if len(lines) < len(right) else "too much"


def conduct(plan: Plan, folder: Path | None = None) -> Experiment:
    """Run the step in real processes, in a folder that is empty at first.

    Parameters
    ----------
    plan : Plan
        What is done.
    folder : Path, optional
        Where the file is written; by default in a temporary folder, which goes afterwards.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="mlkit-lab-") as temporary:
            return conduct(plan, Path(temporary))
    looks = []
    for run in range(1, plan.runs + 1):
        killed = run == plan.killed_run
        _run_step(plan, folder / _FILE, plan.killed_at if killed else "")
        looks.append(_look(plan, folder, run))
    return Experiment(plan=plan, looks=tuple(looks))


def _run_step(plan: Plan, path: Path, point: str) -> None:
    """Start the step as a process; where it has to be killed, wait until it is there."""
    script = str(idempotency_step.__file__)
    command = [sys.executable, "-I", "-S", script, plan.method, str(path), str(plan.count), point]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            if point and process.stdout is not None:
                process.stdout.readline()
                process.kill()
            status = process.wait(timeout=_DEADLINE_S)
        finally:
            process.kill()
    expected = -9 if point else 0
    if status != expected:
        raise RuntimeError(f"the step ended with status {status}, not {expected}")


def _look(plan: Plan, folder: Path, run: int) -> Look:
    path = folder / _FILE
    lines = tuple(path.read_text("utf-8").splitlines()) if path.exists() else None
    return Look(
        run=run,
        killed=run == plan.killed_run,
        lines=lines,
        left_behind=tuple(sorted(p.name for p in folder.iterdir() if p.name != _FILE)),
        verdict=judge(lines, rows(plan.count)),
    )
