"""`python -m benchmarks.maps`: whether the driver's work for one instance grows with the map.

Two stages that are chained, over as many values as asked for, and a join; no kernels, so what is
measured is the driver: choosing, folders, records, database, event log, a console. CPU seconds of
this process, the smaller and the larger map in turns; the best round of each counts. Exit status 1
if an instance of the larger map costs more than 1.2 times as much, or if its plan takes over 2 s.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mlkit import RunOptions, plan, run
from mlkit.core.states import Status
from mlkit.driver.services import Services
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import Cancellation, ExecutionRequest, ExecutionResult, OnCell
from mlkit.observe.console import PlainConsole
from mlkit.testing import Sketch, write_pipeline
from mlkit.testing.fake_clock import InlineExecutor

__all__ = ["MOST_GROWTH", "MOST_PLAN_S", "Costs", "main", "measure", "write"]

MOST_GROWTH = 1.2
MOST_PLAN_S = 2.0


class NoKernel:
    """Writes each declared output, and nothing else happens."""

    def execute(
        self, request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation
    ) -> ExecutionResult:
        """Write the stage's id; see `mlkit.notebook.execution.NotebookRunner`."""
        for item in request.assignments:
            if item.name == "out":
                Path(str(item.value)).write_text(str(request.metadata["stage"]), encoding="utf-8")
        request.notebook.write_text("{}", encoding="utf-8")
        request.log.write_text("", encoding="utf-8")
        return ExecutionResult(status=Status.SUCCEEDED)


def write(folder: Path, count: int) -> Path:
    """`collect[N]… → clean[N]… → join`."""
    over = {"foreach": {"item": "parameters.items"}}
    return write_pipeline(
        folder,
        Sketch(name="collect", body="", declares="item: int = 0", keys=over),
        Sketch(
            name="clean",
            body="",
            declares="item: int = 0\nraw: str = ''",
            keys={**over, "inputs": {"raw": "collect[item].out"}},
        ),
        Sketch(
            name="join",
            body="",
            declares="parts: list[str] = []",
            keys={"inputs": {"parts": "clean.out"}},
        ),
        parameters={"items": list(range(count))},
    )


class Costs(dict[str, float]):
    """CPU seconds: a run, a plan of the same again, and a run that reuses all."""


def measure(count: int) -> Costs:
    """Run a chain of so many instances, plan it, and run it again."""
    with tempfile.TemporaryDirectory(prefix="bench-maps-") as folder:
        file = write(Path(folder), count // 2)

        def go() -> None:
            services = Services(
                runner=NoKernel(),
                executor=lambda workers: InlineExecutor(),
                observers=[PlainConsole(io.StringIO())],
                environ={},
            )
            options = RunOptions(workers=2)
            assert run(file, layers=Layers(), options=options, services=services).ok

        return Costs(run=_cpu_s(go), plan=_cpu_s(lambda: plan(file)), reuse=_cpu_s(go))


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> int:
    """Measure, print, and say by the exit status whether the goals were reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maps", description=__doc__)
    parser.add_argument("--small", type=int, default=500, help="instances (default 500)")
    parser.add_argument("--large", type=int, default=5000, help="instances (default 5000)")
    parser.add_argument("--rounds", type=int, default=2, help="of each, in turns (default 2)")
    asked = parser.parse_args()
    measure(10)  # imports
    rounds = [{n: measure(n) for n in (asked.small, asked.large)} for _ in range(asked.rounds)]
    best = {
        n: {what: min(costs[n][what] for costs in rounds) for what in ("run", "plan", "reuse")}
        for n in (asked.small, asked.large)
    }
    print(f"{'instances':>9} {'run, ms/instance':>18} {'reuse, ms/instance':>20} {'plan, s':>9}")
    for n, costs in best.items():
        each = [1000 * costs[what] / n for what in ("run", "reuse")]
        print(f"{n:>9} {each[0]:>18.3f} {each[1]:>20.3f} {costs['plan']:>9.2f}")
    growth = {
        what: (best[asked.large][what] / asked.large) / (best[asked.small][what] / asked.small)
        for what in ("run", "reuse")
    }
    ran, reused = growth["run"], growth["reuse"]
    print(f"an instance of the larger map costs {ran:.2f} × (reused: {reused:.2f} ×)")
    good = max(growth.values()) <= MOST_GROWTH and best[asked.large]["plan"] <= MOST_PLAN_S
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
