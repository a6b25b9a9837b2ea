"""A Dask cluster on this machine: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlkit.engines.local_server import free_port

__all__ = ["Cluster", "cluster"]


@dataclass(kw_only=True)
class Cluster:
    """A scheduler with its workers.

    Parameters
    ----------
    address : str
        `HOST:PORT` of the scheduler.
    folder : Path
        Where workers keep their files.
    python : str
        What the workers are started with.
    link : {"tcp", "tls"}
        How they speak to each other; certificates come from the environment.
    """

    address: str
    folder: Path
    python: str = sys.executable
    link: str = "tcp"
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def executor(self) -> str:
        """What `--executor` is given."""
        return f"dask{'+tls' if self.link == 'tls' else ''}://{self.address}"

    @property
    def workers(self) -> list[subprocess.Popen[bytes]]:
        """The workers, oldest first."""
        return self.processes[1:]

    def start(self, *arguments: str) -> None:
        """Start the scheduler or a worker."""
        self.processes.append(
            subprocess.Popen(
                [
                    self.python if arguments[0] == "worker" else sys.executable,
                    *("-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]),
                ],
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=(self.folder / f"{len(self.processes)}.log").open("wb"),
                start_new_session=True,
            )
        )

    def add_worker(self, python: str | None = None) -> None:
        """Start a worker with one thread, with another Python than the others if one is named."""
        options = ("--nthreads", "1", "--no-dashboard", "--no-nanny", "--memory-limit", "0")
        place = ("--local-directory", str(self.folder / f"w{len(self.processes)}"))
        before, self.python = self.python, python or self.python
        self.start("worker", f"{self.link}://{self.address}", *options, *place)
        self.python = before

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many workers are there."""
        from distributed import Client

        with Client(  # type: ignore[no-untyped-call] # Dask is partly untyped
            f"{self.link}://{self.address}", timeout=60, set_as_default=False
        ) as client:
            client.wait_for_workers(count, timeout=60)

    def kill_scheduler(self) -> None:
        """End the scheduler without warning."""
        os.kill(self.processes[0].pid, signal.SIGKILL)
        self.processes[0].wait()

    def stop_scheduler(self) -> None:
        """Have the scheduler stand still, with its connections open, as behind a broken network."""
        os.kill(self.processes[0].pid, signal.SIGSTOP)

    def continue_scheduler(self) -> None:
        """Have a scheduler that stands still go on."""
        os.kill(self.processes[0].pid, signal.SIGCONT)

    def kill_worker(self, number: int) -> None:
        """End a worker without warning."""
        os.kill(self.workers[number].pid, signal.SIGKILL)
        self.workers[number].wait()


@contextlib.contextmanager
def cluster(
    folder: Path, workers: int = 2, python: str = sys.executable, link: str = "tcp"
) -> Iterator[Cluster]:
    """Start a scheduler and workers; they are ended with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    made = Cluster(address=f"127.0.0.1:{port}", folder=folder, python=python, link=link)
    try:
        place = ("--host", "127.0.0.1", "--port", str(port), "--protocol", link)
        made.start("scheduler", *place, "--no-dashboard")
        for _ in range(workers):
            made.add_worker()
        deadline = time.monotonic() + 60
        while True:
            try:
                made.wait_for_workers(workers)
                break
            except OSError:
                assert time.monotonic() < deadline, "the cluster did not start"
        yield made
    finally:
        for process in made.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
