"""What one measurement of `benchmarks.units` does; each in a process of its own, for its memory.

`python -m benchmarks.unit_costs NAME N` prints a JSON object: what came of N units, by name.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.counting_s3 import KINDS, CountingS3, counting_s3
from benchmarks.folders import write as write_files
from benchmarks.maps import NoKernel
from benchmarks.maps import write as write_maps
from benchmarks.runs import write_history
from mlkit import RunOptions, list_runs, run
from mlkit.core.progress import News
from mlkit.core.states import Status
from mlkit.driver.services import Services
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import Cancellation, ExecutionRequest, ExecutionResult, OnCell
from mlkit.store.artifact_store import ArtifactStore
from mlkit.testing import Sketch, write_pipeline
from mlkit.testing.fake_clock import InlineExecutor

__all__ = ["MEASUREMENTS", "Costs"]

Costs = dict[str, float]

_FILE_BYTES = 4_000
_CELLS = 100
AWAY_S = 0.03
"""What a store in another building takes to answer, where waiting for it is measured."""
WORKERS_WAITING = 8


class SqlCounter:
    """Counts what every SQLite connection of this process is asked, from now on."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        connect = sqlite3.connect

        def counting(*args: object, **keywords: object) -> sqlite3.Connection:
            made: sqlite3.Connection = connect(*args, **keywords)  # type: ignore[call-overload] # handed on
            made.set_trace_callback(self._take)
            return made

        sqlite3.connect = counting  # type: ignore[assignment] # it takes what the other takes

    def _take(self, statement: str) -> None:
        self.counts["statements"] += 1
        self.counts["commits"] += statement.strip().rstrip(";").upper() in ("COMMIT", "END")

    def taken(self) -> Counter[str]:
        """What was counted since the last call."""
        found, self.counts = self.counts, Counter()
        return found


class ManyCells(NoKernel):
    """Tells of many cells, and writes the outputs."""

    def execute(
        self, request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation
    ) -> ExecutionResult:
        """Tell of each cell as it starts; see `mlkit.notebook.execution.NotebookRunner`."""
        for number in range(1, _CELLS + 1):
            on_cell(News(cell=number, cells=_CELLS, line="total = total + 1"))
        return super().execute(request, on_cell, cancellation)


class FilesKernel(NoKernel):
    """Writes a folder of files, and nothing else happens."""

    def __init__(self, count: int) -> None:
        self.count = count

    def execute(
        self, request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation
    ) -> ExecutionResult:
        """Write the files; see `mlkit.notebook.execution.NotebookRunner`."""
        (out,) = [item for item in request.assignments if item.name == "out"]
        write_files(Path(str(out.value)), self.count, _FILE_BYTES)
        request.notebook.write_text("{}", encoding="utf-8")
        request.log.write_text("", encoding="utf-8")
        return ExecutionResult(status=Status.SUCCEEDED)


def _go(file: Path, runner: NoKernel, runs_dir: str | None = None) -> str:
    """Run a pipeline without kernels; gives the run's id."""
    services = Services(runner=runner, executor=lambda workers: InlineExecutor(), environ={})
    options = RunOptions(workers=2)
    record = run(file, layers=Layers(), options=options, services=services, runs_dir=runs_dir)
    assert record.ok, record.stages
    return record.run_id


@contextlib.contextmanager
def _cpu(costs: Costs, name: str) -> Iterator[None]:
    start = time.process_time()
    yield
    costs[name] = time.process_time() - start


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _bytes_below(folder: Path) -> tuple[int, int]:
    """Bytes and number of the files that a folder holds."""
    sizes = [each.lstat().st_size for each in folder.rglob("*") if each.is_file()]
    return sum(sizes), len(sizes)


def _database_bytes(runs: Path) -> int:
    with contextlib.closing(sqlite3.connect(runs / "mlkit.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (runs / "mlkit.db").stat().st_size


def map_here(count: int) -> Costs:
    """A map of so many instances on local disk: computed, then reused."""
    costs: Costs = {}
    sql = SqlCounter()
    with tempfile.TemporaryDirectory(prefix="bench-units-") as folder:
        file = write_maps(Path(folder), count // 2)
        runs, before = Path(folder, "runs"), 0
        for what in ("computed", "reused"):
            sql.taken()
            with _cpu(costs, f"{what} cpu_s"):
                run_id = _go(file, NoKernel())
            asked = sql.taken()
            costs |= {f"{what} {name}": asked[name] for name in ("statements", "commits")}
            size = _database_bytes(runs)
            costs[f"{what} database_bytes"], before = size - before, size
            place = runs / run_id
            costs[f"{what} record_bytes"] = (place / "run.json").stat().st_size
            log = (place / "events.jsonl").read_bytes()
            costs[f"{what} events"] = log.count(b"\n")
            costs[f"{what} event_bytes"] = len(log)
            costs[f"{what} disk_bytes"], costs[f"{what} files"] = _bytes_below(place)
        costs["peak_bytes"] = _peak_bytes()
    return costs


@contextlib.contextmanager
def _on_s3(answers_after_s: float = 0.0) -> Iterator[tuple[CountingS3, Callable[[str], None]]]:
    """A store, and how to go on as another machine."""
    with (
        counting_s3(answers_after_s) as s3,
        tempfile.TemporaryDirectory(prefix="bench-machines-") as machines,
    ):
        os.environ.update(s3.environ)

        def become(name: str) -> None:
            os.environ["MLKIT_CACHE_DIR"] = str(Path(machines, name))

        yield s3, become


def _asked(s3: CountingS3, what: str) -> Costs:
    asked = s3.counted()
    return {f"{what} {name}": asked[name] for name in (*KINDS, "bytes_in", "bytes_out")}


def map_on_s3(count: int) -> Costs:
    """A map of so many instances on S3: computed, reused here, reused on another machine."""
    costs: Costs = {}
    with _on_s3() as (s3, become), tempfile.TemporaryDirectory(prefix="bench-units-") as folder:
        file = write_maps(Path(folder), count // 2)
        for what, machine in (("computed", "a"), ("reused", "a"), ("reused elsewhere", "b")):
            become(machine)
            with _cpu(costs, f"{what} cpu_s"):
                _go(file, NoKernel(), s3.url)
            costs |= _asked(s3, what)
    return costs


def waiting(count: int) -> Costs:
    """The same by eight threads, where the store takes its time to answer: seconds, not CPU."""
    costs: Costs = {}
    with (
        _on_s3(AWAY_S) as (s3, become),
        tempfile.TemporaryDirectory(prefix="bench-units-") as folder,
    ):
        file = write_maps(Path(folder), count // 2)
        become("a")
        for what in ("computed", "reused"):
            start = time.perf_counter()
            services = Services(runner=NoKernel(), environ={})
            options = RunOptions(workers=WORKERS_WAITING)
            record = run(file, layers=Layers(), options=options, services=services, runs_dir=s3.url)
            assert record.ok, record.stages
            costs[f"{what} s"] = time.perf_counter() - start
    return costs


def history(count: int) -> Costs:
    """So many runs of eighteen stages: list them, and make one more run among them."""
    costs: Costs = {}
    with tempfile.TemporaryDirectory(prefix="bench-units-") as folder:
        place = write_history(Path(folder, "p"), count)
        costs["database_bytes"] = _database_bytes(place / "runs")
        _go(place / "pipeline.yaml", NoKernel())  # what it imports is no cost of the history
        sql = SqlCounter()
        with _cpu(costs, "one_more cpu_s"):
            _go(place / "pipeline.yaml", NoKernel())
        costs["one_more statements"] = sql.taken()["statements"]
        with _cpu(costs, "list cpu_s"):  # the last, for it leaves so many records behind
            assert len(list_runs(runs_dir=place / "runs")) == count + 2
        costs["peak_bytes"] = _peak_bytes()
    return costs


def _with_folder(folder: Path) -> Path:
    return write_pipeline(folder, Sketch(name="parts", body="", keys={"outputs": {"out": "out/"}}))


def files_here(count: int) -> Costs:
    """A folder of so many files becomes an artifact on local disk."""
    costs: Costs = {}
    with tempfile.TemporaryDirectory(prefix="bench-units-") as folder:
        source = write_files(Path(folder, "source"), count, _FILE_BYTES)
        with _cpu(costs, "cpu_s"):
            ArtifactStore(Path(folder, "store")).take(source)
        costs["disk_bytes"], costs["files"] = _bytes_below(Path(folder, "store"))
        costs["peak_bytes"] = _peak_bytes()
    return costs


def files_on_s3(count: int) -> Costs:
    """A stage writes a folder of so many files; its run, and one that reuses it elsewhere."""
    costs: Costs = {}
    with _on_s3() as (s3, become), tempfile.TemporaryDirectory(prefix="bench-units-") as folder:
        file = _with_folder(Path(folder))
        for what, machine in (("computed", "a"), ("reused elsewhere", "b")):
            become(machine)
            _go(file, FilesKernel(count), s3.url)
            costs |= _asked(s3, what)
    return costs


def events(count: int) -> Costs:
    """A run with so many events: stages of a hundred cells, of each of which is told."""
    costs: Costs = {}
    with tempfile.TemporaryDirectory(prefix="bench-units-") as folder:
        names = [f"s{number}" for number in range(max(1, count // _CELLS))]
        file = write_pipeline(Path(folder), *(Sketch(name=name, body="") for name in names))
        with _cpu(costs, "cpu_s"):
            run_id = _go(file, ManyCells())
        log = (Path(folder, "runs", run_id) / "events.jsonl").read_bytes()
        costs |= {"events": log.count(b"\n"), "bytes": len(log), "peak_bytes": _peak_bytes()}
    return costs


def kernels(count: int) -> Costs:
    """So many notebooks of one line by forked kernels, two at a time."""
    costs: Costs = {}
    with tempfile.TemporaryDirectory(prefix="bench-units-") as folder:
        body = "open(out, 'w').write('done')"
        sketches = [Sketch(name=f"s{number}", body=body) for number in range(count)]
        file = write_pipeline(Path(folder), *sketches)
        os.environ["MLKIT_NO_WARM"] = "1"  # what outlives the run is no child of this process
        start = os.times()
        record = run(file, layers=Layers(environ={}), options=RunOptions(workers=2))
        end = os.times()
        assert record.ok, record.stages
        costs["driver cpu_s"] = end.user + end.system - start.user - start.system
        costs["kernel cpu_s"] = (
            end.children_user + end.children_system - start.children_user - start.children_system
        )
        costs["peak_bytes"] = _peak_bytes()
    return costs


def disk(count: int) -> Costs:
    """How long a commit of the database takes on this disk; with the synchronous mode of mlkit."""
    from mlkit.store.database import Database

    with tempfile.TemporaryDirectory(prefix="bench-units-") as folder:
        file = Path(folder, "mlkit.db")
        with contextlib.closing(Database(file)):
            pass
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute("CREATE TABLE unit(number INTEGER)")
            start = time.perf_counter()
            for number in range(count):
                database.execute("BEGIN IMMEDIATE")
                database.execute("INSERT INTO unit VALUES (?)", (number,))
                database.execute("COMMIT")
            return {"commit_s": (time.perf_counter() - start) / count}


MEASUREMENTS: Mapping[str, Callable[[int], Costs]] = {
    "map_here": map_here,
    "map_on_s3": map_on_s3,
    "waiting": waiting,
    "history": history,
    "files_here": files_here,
    "files_on_s3": files_on_s3,
    "events": events,
    "kernels": kernels,
    "disk": disk,
}


def main(name: str, count: str) -> None:
    """Warm up, measure once, and print."""
    if name not in ("kernels", "disk", "map_on_s3", "files_on_s3", "waiting"):
        MEASUREMENTS[name](_CELLS if name == "events" else 4)  # imports
    sys.stdout.write(json.dumps(MEASUREMENTS[name](int(count))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
