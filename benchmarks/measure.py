"""Measure contenders in interleaved rounds, so that a noisy minute hits all of them alike."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["BenchmarkError", "Contender", "Measurement", "Summary", "measure_rounds", "run_once"]

CLOCK = Path(__file__).with_name("clock.py")
LIMIT_S = 900.0


class BenchmarkError(Exception):
    """A contender failed, so there is nothing to compare."""


def _nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to do a workload.

    Parameters
    ----------
    name : str
        As it stands in the table.
    command : tuple of str
        The command line.
    cwd : Path
        Where it runs.
    env : Mapping of str to str
        Added to the environment.
    reset : callable
        Called before each measurement, outside of it.
    once : bool
        Whether the first round is enough: it takes many times as long as the first contender.
    """

    name: str
    command: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    reset: Callable[[], None] = _nothing
    once: bool = False


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one run of one contender took."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    written_bytes: int
    status: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The medians of a contender's rounds; `peak_bytes` comes from the first."""

    name: str
    wall_s: float
    cpu_s: float
    peak_bytes: int
    written_bytes: int
    rounds: int


def run_once(contender: Contender, *, memory: bool) -> Measurement:
    """Run one contender once.

    Raises
    ------
    BenchmarkError
        If its command fails.
    """
    contender.reset()
    done = subprocess.run(
        [sys.executable, "-S", str(CLOCK), "1" if memory else "0", *contender.command],
        cwd=contender.cwd,
        env={**os.environ, **contender.env},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    if not lines:
        raise BenchmarkError(f"{contender.name} was not measured:\n{done.stderr[-3000:]}")
    measurement = Measurement(**json.loads(lines[-1]))
    if measurement.status != 0:
        raise BenchmarkError(
            f"{contender.name} ended with status {measurement.status}:\n{done.stderr[-3000:]}"
        )
    return measurement


def measure_rounds(
    contenders: Sequence[Contender], rounds: int, say: Callable[[str], None]
) -> list[Summary]:
    """Measure the contenders once in each round, beginning with another one each time.

    Parameters
    ----------
    contenders : sequence of Contender
        Who takes part.
    rounds : int
        How many rounds there are; memory is sampled in the first, and those who take long are
        measured in the first only.
    say : callable
        Receives a line for each measurement.

    Returns
    -------
    list of Summary
        In the order of the contenders.
    """
    found: dict[str, list[Measurement]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        shift = number % len(contenders)
        for contender in [*contenders[shift:], *contenders[:shift]]:
            if contender.once and number > 0:
                continue
            measurement = run_once(contender, memory=number == 0)
            took = f"{measurement.wall_s:.2f} s, CPU {measurement.cpu_s:.2f} s"
            say(f"round {number + 1} of {rounds}, {contender.name}: {took}")
            found[contender.name].append(measurement)
    return [
        Summary(
            name=name,
            wall_s=statistics.median(each.wall_s for each in runs),
            cpu_s=statistics.median(each.cpu_s for each in runs),
            peak_bytes=runs[0].peak_bytes,
            written_bytes=int(statistics.median(each.written_bytes for each in runs)),
            rounds=len(runs),
        )
        for name, runs in found.items()
    ]
