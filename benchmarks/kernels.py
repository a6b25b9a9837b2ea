"""What one kernel costs, forked and stock: `python -m benchmarks.kernels [--rounds N]`.

Prints the table of docs/kernels.md. All contenders take turns in each round, in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager

from mlkit.notebook.kernels import KernelRequest, Kernels, end_kernel, open_kernels

IMPORTS = "import pandas, sklearn.ensemble"
ROWS = ("request → ready", f"`{IMPORTS}`", "end", "private memory after the imports")
PRELOAD = ("pandas", "sklearn.ensemble")


def private_mib(pid: int) -> float:
    """The memory that a process shares with no other, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


async def run_cell(client: Any, code: str) -> None:
    """Execute code, and wait for the reply and for the end of its output."""
    asked = client.execute(code)
    while True:
        message = await client.get_iopub_msg()
        mine = message["parent_header"].get("msg_id") == asked
        if mine and message["content"].get("execution_state") == "idle":
            return


async def measure(manager: Any, end: Callable[[Any], Awaitable[None]]) -> tuple[float, ...]:
    """Start a kernel, import, end it; milliseconds of each, and MiB."""
    laps = [time.perf_counter()]
    await manager.start_kernel(extra_arguments=["--HistoryManager.hist_file=:memory:"])
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=120)
    laps.append(time.perf_counter())
    await run_cell(client, IMPORTS)
    laps.append(time.perf_counter())
    memory = private_mib(manager.provisioner.pid)
    client.stop_channels()
    rested = time.perf_counter()
    await end(manager)
    ended = time.perf_counter()
    return (1e3 * (laps[1] - laps[0]), 1e3 * (laps[2] - laps[1]), 1e3 * (ended - rested), memory)


async def shut_down(manager: Any) -> None:
    """End a kernel as jupyter_client does."""
    await manager.shutdown_kernel()


def of_mlkit(kernels: Kernels, folder: Path) -> tuple[float, ...]:
    """Measure one of mlkit's kernels."""
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    request = KernelRequest(cwd=folder, env=env, log=folder / "log.txt")
    return asyncio.run(measure(kernels.manager(request), end_kernel))


def of_jupyter_client() -> tuple[float, ...]:
    """Measure a kernel of jupyter_client, as nbclient starts it."""
    return asyncio.run(measure(AsyncKernelManager(kernel_name="python3"), shut_down))


def table(found: dict[str, list[tuple[float, ...]]]) -> str:
    """The medians as Markdown."""
    lines = [f"| | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for number, row in enumerate(ROWS):
        unit = "MiB" if "memory" in row else "ms"
        values = [statistics.median(each[number] for each in runs) for runs in found.values()]
        lines.append(f"| {row} | {' | '.join(f'{value:.0f} {unit}' for value in values)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure in rounds and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with (
        tempfile.TemporaryDirectory() as place,
        open_kernels("fork", preload=PRELOAD, say=print) as forked,
        open_kernels("spawn") as spawned,
    ):
        folder = Path(place)
        of_mlkit(forked, folder)  # waits until the imports ahead are done
        names = ("jupyter_client", "mlkit, stock", "mlkit, forked", "mlkit, forked ahead")
        found: dict[str, list[tuple[float, ...]]] = {name: [] for name in names}
        for _ in range(rounds):
            found["jupyter_client"].append(of_jupyter_client())
            found["mlkit, stock"].append(of_mlkit(spawned, folder))
            found["mlkit, forked"].append(of_mlkit(forked, folder))
            forked.prepare(1)
            time.sleep(0.5)
            forked.prepare(0)
            found["mlkit, forked ahead"].append(of_mlkit(forked, folder))
    print(table(found))


if __name__ == "__main__":
    main()
