"""`python -m benchmarks.dask_workers`: stages on Dask workers apart, with S3, beside threads.

Two maps, the second of which reads what the first has made, instance by instance. A stage sleeps
for a second, so that what is measured is what is lost beside it, on machines of any speed. The
workers are processes with one thread each that do not see the runs folder (bubblewrap hides it):
artifacts go through the store, moto's server. As many threads of one process do the same with the
same store, and on local disk. Each is a whole `mlkit run`, in turns; printed are medians. Exit
status 1 if the workers' throughput is below 0.85 of that of threads with the same store.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.counting_s3 import CountingS3, counting_s3
from benchmarks.parts_of_pages import SCALE as PAGE
from benchmarks.parts_of_pages import written
from benchmarks.workload import mlkit
from mlkit.engines.local_server import free_port
from mlkit.testing import Sketch, write_pipeline

__all__ = ["LEAST", "main", "measure", "text", "write"]

LEAST = 0.85
DASK, THREADS, DISK = "Dask workers, S3", "threads, S3", "threads, disk"
_PATIENCE_S = 60.0
_BODY = """import time
from pathlib import Path
time.sleep({seconds})
Path(out).write_text({text})"""


def write(folder: Path, count: int, seconds: float) -> Path:
    """`first[N] → second[N]`."""
    over = {"foreach": {"item": "parameters.items"}}
    return write_pipeline(
        folder,
        Sketch(
            name="first",
            body=_BODY.format(seconds=seconds, text="str(item)"),
            declares="item: int = 0",
            keys=over,
        ),
        Sketch(
            name="second",
            body=_BODY.format(seconds=seconds, text="Path(made).read_text() + '+'"),
            declares="item: int = 0\nmade: str = ''",
            keys={**over, "inputs": {"made": "first[item].out"}},
        ),
        parameters={"items": list(range(count // 2))},
    )


@contextlib.contextmanager
def _cluster(folder: Path, hidden: Path, workers: int, s3: CountingS3) -> Iterator[str]:
    """A scheduler and workers that do not see a folder; gives `HOST:PORT`."""
    folder.mkdir()
    address = f"127.0.0.1:{free_port()}"
    host, _, port = address.partition(":")
    apart = ("bwrap", "--dev-bind", "/", "/", "--tmpfs", str(hidden))
    lines: list[tuple[str, ...]] = [("scheduler", "--host", host, "--port", port, "--no-dashboard")]
    lines += [
        (
            *("worker", f"tcp://{address}", "--nthreads", "1", "--no-dashboard", "--no-nanny"),
            *("--memory-limit", "0", "--local-directory", str(folder / f"w{number}")),
        )
        for number in range(workers)
    ]
    processes = [
        subprocess.Popen(
            [
                *(apart if role == "worker" else ()),
                *(sys.executable, "-m", f"distributed.cli.dask_{role}", *arguments),
            ],
            cwd=folder,
            env={**os.environ, **s3.environ},
            stdout=subprocess.DEVNULL,
            stderr=(folder / f"{number}.log").open("wb"),
            start_new_session=True,
        )
        for number, (role, *arguments) in enumerate(lines)
    ]
    try:
        _wait_for(address, workers)
        yield address
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(address: str, workers: int) -> None:
    from distributed import Client  # the extra `dask` has it

    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with Client(  # type: ignore[no-untyped-call] # Dask is partly untyped
                f"tcp://{address}", timeout=10, set_as_default=False
            ) as client:
                client.wait_for_workers(workers, timeout=_PATIENCE_S)
                return
        except OSError:
            if time.monotonic() > until:
                raise


def measure(count: int, seconds: float, workers: int, rounds: int) -> dict[str, float]:
    """Seconds of each way, the median of the rounds.

    Parameters
    ----------
    count : int
        How many stages.
    seconds : float
        How long each sleeps.
    workers : int
        How many work at once.
    rounds : int
        How often each way is taken.
    """
    found: dict[str, list[float]] = {DASK: [], THREADS: [], DISK: []}
    with counting_s3() as s3, tempfile.TemporaryDirectory(prefix="bench-dask-") as place:
        folder, hidden = Path(place), Path(place, "hidden")
        hidden.mkdir()
        file = write(folder / "p", count, seconds)
        with _cluster(folder / "cluster", hidden, workers, s3) as address:
            for number in range(rounds):
                ways = {
                    DASK: (f"{s3.url}/dask-{number}", f"dask://{address}"),
                    THREADS: (f"{s3.url}/threads-{number}", "threads"),
                    DISK: (str(hidden / f"disk-{number}"), "threads"),
                }
                for way, (runs, executor) in ways.items():
                    line = ("run", str(file), "--runs-dir", runs, "--executor", executor)
                    took = _timed((*line, "--workers", str(workers)), hidden, s3)
                    print(f"  {way}: {took:.2f} s", file=sys.stderr, flush=True)
                    found[way].append(took)
                shutil.rmtree(hidden / "cache", ignore_errors=True)
    return {way: median(took) for way, took in found.items()}


def _timed(line: Sequence[str], hidden: Path, s3: CountingS3) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        [*mlkit(*line), "--json"],
        env={**os.environ, **s3.environ, "MLKIT_CACHE_DIR": str(hidden / "cache")},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    took = time.perf_counter() - start
    stages = json.loads(done.stdout)["stages"].values()
    assert {stage["status"] for stage in stages} == {"succeeded"}
    return took


def main() -> int:
    """Measure, print, and say by the exit status whether the goal was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask_workers", description=__doc__)
    parser.add_argument("--stages", type=int, default=40, help="how many (default 40)")
    parser.add_argument("--seconds", type=float, default=1.0, help="that each sleeps (default 1)")
    parser.add_argument("--workers", type=int, default=2, help="at once (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="in turns (default 3)")
    parser.add_argument("--write", action="store_true", help="write docs/scale.md")
    asked = parser.parse_args()
    found = measure(asked.stages, asked.seconds, asked.workers, asked.rounds)
    printed = text(found, asked.stages, asked.seconds, asked.workers)
    print(printed)
    if asked.write:
        written(PAGE, "dask", printed)
    reached = found[THREADS] / found[DASK] >= LEAST
    print(f"goal: at least {LEAST} × threads with S3: {'reached' if reached else 'missed'}")
    return 0 if reached else 1


def text(found: Mapping[str, float], count: int, seconds: float, workers: int) -> str:
    """What each way takes, as Markdown.

    Parameters
    ----------
    found : mapping of str to float
        Seconds of each way.
    count, seconds, workers : float
        As for `measure`.
    """
    asleep = count * seconds / workers
    lines = [f"{count} stages of {seconds:g} s, {workers} at once:", ""]
    lines += ["| | seconds | lost for each stage, ms | throughput against threads, S3 |"]
    lines += ["|---|---|---|---|"]
    for way, took in found.items():
        lost = 1000 * (took - asleep) * workers / count
        lines.append(f"| {way} | {took:.2f} | {lost:.0f} | {found[THREADS] / took:.2f} × |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
