"""What forked kernels cost by themselves: ipykernel forked, its client, and nothing else.

One process imports ipykernel, and what the notebooks need, and forks one kernel ahead for each
worker. The notebooks' cells go to the kernels one by one by jupyter_client. Nothing is checked,
captured, reused or kept: no notebook, no log, no record. What mlkit takes beyond this is mlkit's
own.

Called with a plan (see `benchmarks.stages.plan`) as a JSON file, the number of workers, and names
of modules to import ahead; with more than one worker the notebooks must not depend on each other.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import os
import queue
import signal
import socket
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

QUIET = ["--HistoryManager.enabled=False"]
LIMIT_S = 60.0
REPLY_S = 1.0
"""Seconds in which a kernel says that it is going to end; a request is lost if the channel is
closed before."""


def become_kernel(file: str) -> None:
    """Serve until the client asks for the end."""
    os.setsid()
    app = IPKernelApp.instance(connection_file=file, parent_handle=os.getppid())
    app.initialize(QUIET)
    app.start()
    os._exit(0)


def rehearsed(folder: Path) -> list[str]:
    """The modules that a kernel has imported when it is ready."""
    names = folder / "modules.json"
    pid = os.fork()
    if pid == 0:
        file, _ = write_connection_file(str(folder / "first.json"), **at(folder / "first"))
        app = IPKernelApp.instance(connection_file=file, parent_handle=os.getppid())
        app.initialize(QUIET)
        names.write_text(json.dumps(list(sys.modules)))
        os._exit(0)
    os.waitpid(pid, 0)
    found: list[str] = json.loads(names.read_text())
    return [name for name in found if name not in sys.modules]


def at(place: Path) -> dict[str, Any]:
    """Where a kernel listens: sockets whose names begin with a path."""
    return {"ip": str(place), "transport": "ipc"}


def serve(line: socket.socket, folder: Path, modules: tuple[str, ...]) -> None:
    """Fork a kernel for each connection file that the driver names, until it hangs up."""
    for name in (*rehearsed(folder), *modules):
        if importlib.util.find_spec(name.partition(".")[0]) is not None:  # debugpy hides its own
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    forked = []
    while file := line.recv(1024).decode():
        forked.append(os.fork())
        if forked[-1] == 0:
            line.close()
            become_kernel(file)
    for pid in forked:  # each has said that it ends, or has had its time
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:  # so that their time is counted
            os.wait()


class Kernels:
    """A kernel for each notebook; one a worker is forked ahead of its need."""

    def __init__(self, line: socket.socket, folder: Path, needed: int, ahead: int) -> None:
        self.line, self.folder, self.lock = line, folder, Lock()
        self.numbers = iter(range(needed))
        self.ready: queue.SimpleQueue[str] = queue.SimpleQueue()
        for _ in range(ahead):
            self.ask()

    def ask(self) -> None:
        """Have the next kernel forked, if one more is needed."""
        with self.lock:
            number = next(self.numbers, None)
            if number is None:
                return
            place = self.folder / f"k{number}"
            file, _ = write_connection_file(str(place.with_suffix(".json")), **at(place))
            self.line.send(file.encode())
        self.ready.put(file)

    def execute(self, step: dict[str, Any]) -> None:
        """Execute a notebook's cells in a kernel of their own."""
        cells = json.loads(Path(step["notebook"]).read_text())["cells"]
        for made in step["writes"]:
            Path(made).parent.mkdir(parents=True, exist_ok=True)
        client = BlockingKernelClient(connection_file=self.ready.get())
        self.ask()
        client.load_connection_file()
        client.start_channels(hb=False, stdin=False)
        until = time.monotonic() + LIMIT_S
        while not heard(client, client.kernel_info(), 0.02):  # lost before the sockets have met
            if time.monotonic() > until:
                raise TimeoutError("the kernel is not there")
        given = "\n".join(f"{name} = {value!r}" for name, value in step["parameters"].items())
        for number, cell in enumerate(cells):
            code = given if number == 0 else "".join(cell["source"])
            if not heard(client, client.execute(code), LIMIT_S):
                raise TimeoutError(f"{step['notebook']}, cell {number}")
        client.shutdown()
        with contextlib.suppress(queue.Empty):  # ipykernel may stall: it is killed at the end
            client.control_channel.get_msg(timeout=REPLY_S)
        client.stop_channels()


def heard(client: BlockingKernelClient, asked: str, timeout_s: float) -> bool:
    """Whether the kernel said that it has done what it was asked."""
    while True:
        try:
            message = client.get_iopub_msg(timeout=timeout_s)
        except queue.Empty:
            return False
        if message["msg_type"] == "error":
            raise RuntimeError("\n".join(message["content"]["traceback"]))
        mine = message["parent_header"].get("msg_id") == asked
        if mine and message["content"].get("execution_state") == "idle":
            return True


def main(plan: str, workers: str, *modules: str) -> None:
    """Execute all notebooks."""
    steps = json.loads(Path(plan).read_text())
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with tempfile.TemporaryDirectory(prefix="bare-") as name:
        zygote = os.fork()
        if zygote == 0:
            here.close()
            serve(there, Path(name), modules)
            os._exit(0)  # who made the folder tidies it up
        there.close()
        kernels = Kernels(here, Path(name), len(steps), int(workers))
        with ThreadPoolExecutor(int(workers)) as pool:
            list(pool.map(kernels.execute, steps))
        here.close()
        os.waitpid(zygote, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
