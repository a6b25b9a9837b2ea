"""What a workload is, and the contenders that most of them share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import LIMIT_S, BenchmarkError, Contender, Summary
from benchmarks.stages import Stage, plan, write_pipeline
from mlkit.notebook.kernels.warm_zygotes import warm_zygotes

__all__ = [
    "API",
    "BARE",
    "CLI",
    "FORK",
    "PLAIN",
    "SPAWN",
    "WARM",
    "Goal",
    "Workload",
    "against",
    "at_most",
    "bare_fork",
    "baselines",
    "mlkit",
    "warm",
]

FORK = "mlkit (fork)"
WARM = "mlkit (fork, warm)"
SPAWN = "mlkit (spawn)"
API = "Papermill's API"
CLI = "Papermill's command line"
PLAIN = "one plain Python process"
BARE = "ipykernel forked, nothing else"

Results = Mapping[str, Summary]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Something that a workload's results must reach.

    Parameters
    ----------
    text : str
        What is to be reached, with the limit.
    value : callable
        Computes the figure from the results.
    limit : float
        The limit.
    at_least : bool
        Whether the limit is the lowest good value; else it is the highest.
    """

    text: str
    value: Callable[[Results], float]
    limit: float
    at_least: bool = False

    def reached(self, results: Results) -> bool:
        """Whether the results are good enough."""
        value = self.value(results)
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A piece of work, and those who can do it.

    Parameters
    ----------
    name : str
        Its name on the command line.
    about : str
        What is done, in a sentence.
    contenders : sequence of Contender
        The first is what the others are compared with.
    goals : sequence of Goal
        What must hold.
    """

    name: str
    about: str
    contenders: Sequence[Contender]
    goals: Sequence[Goal] = field(default=())


def against(one: str, other: str, quantity: str = "wall_s") -> Callable[[Results], float]:
    """How many times as much one contender needs as another."""
    return lambda results: getattr(results[one], quantity) / getattr(results[other], quantity)


def at_most(name: str, quantity: str = "wall_s", *, share: int = 1) -> Callable[[Results], float]:
    """What one contender needs, divided by `share`."""
    return lambda results: float(getattr(results[name], quantity)) / share


def mlkit(*arguments: str) -> tuple[str, ...]:
    """A command line of this environment's mlkit."""
    return (str(Path(sysconfig.get_path("scripts"), "mlkit")), *arguments)


def baselines(folder: Path, name: str, stages: Sequence[Stage], workers: int) -> list[Contender]:
    """Write down mlkit with forked and stock kernels, Papermill twice, and a plain process.

    Parameters
    ----------
    folder : Path
        Receives the pipeline and everything that is made.
    name : str
        The pipeline's name.
    stages : sequence of Stage
        In an order that works.
    workers : int
        How many stages may run at once; the plain process runs one after the other.
    """
    write_pipeline(folder, name, stages)
    steps = folder / "plan.json"
    steps.write_text(json.dumps(plan(folder, stages)))
    return [*runs(folder, workers), *without_mlkit(folder, steps, workers)]


def runs(folder: Path, workers: int) -> list[Contender]:
    """`mlkit run` with forked and with stock kernels."""
    found = []
    for title, kind in ((FORK, "fork"), (SPAWN, "spawn")):
        place = folder / f"runs-{kind}"
        line = ("run", str(folder), "--start", kind, "--workers", str(workers))
        found.append(
            Contender(
                name=title,
                command=mlkit(*line, "--runs-dir", str(place), "--json"),
                cwd=folder,
                env={"MLKIT_NO_WARM": "1"},
                reset=lambda place=place: shutil.rmtree(place, ignore_errors=True),  # type: ignore[misc] # mypy cannot infer a default's type
            )
        )
    return found


def warm(folder: Path, workers: int) -> Contender:
    """`mlkit run` where an earlier run has left what forks the kernels."""
    place, runtime = folder / "runs-warm", folder / "r"
    runtime.mkdir(mode=0o700)
    line = mlkit("run", str(folder), "--workers", str(workers), "--runs-dir", str(place), "--json")
    env = {"XDG_RUNTIME_DIR": str(runtime), "MLKIT_NO_WARM": "", "CI": ""}

    def reset() -> None:
        until = time.monotonic() + LIMIT_S
        while not any(each.until for each in warm_zygotes(env)):
            if not warm_zygotes(env):
                shutil.rmtree(place, ignore_errors=True)
                subprocess.run(
                    line, env={**os.environ, **env}, check=True, stdout=subprocess.DEVNULL
                )
            if time.monotonic() > until:
                raise BenchmarkError("nothing waits for the next run")
            time.sleep(0.5)
        shutil.rmtree(place, ignore_errors=True)

    return Contender(name=WARM, command=line, cwd=folder, env=env, reset=reset)


def without_mlkit(folder: Path, steps: Path, workers: int) -> list[Contender]:
    """Papermill's API and command line, and a plain process, on the same notebooks."""

    def reset() -> None:
        shutil.rmtree(folder / "out", ignore_errors=True)

    here = Path(__file__).parent / "baselines"
    lines = {
        API: (str(here / "papermill_api.py"), str(steps), str(workers)),
        CLI: (str(here / "papermill_cli.py"), str(steps), str(workers)),
        PLAIN: (str(here / "plain.py"), str(steps)),
    }
    return [
        Contender(
            name=title,
            command=(sys.executable, *line),
            cwd=folder,
            reset=reset,
            once=title != PLAIN,
        )
        for title, line in lines.items()
    ]


def bare_fork(folder: Path, workers: int, modules: Sequence[str] = ()) -> Contender:
    """The cells in kernels that are forked as simply as can be; where the baselines stand.

    What forks them has imported the modules.
    """
    program = Path(__file__).parent / "baselines" / "bare_fork.py"
    return Contender(
        name=BARE,
        command=(sys.executable, str(program), str(folder / "plan.json"), str(workers), *modules),
        cwd=folder,
        reset=lambda: shutil.rmtree(folder / "out", ignore_errors=True),
    )
