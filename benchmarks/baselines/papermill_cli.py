"""Papermill's command line in a loop, as in a shell script or a Makefile.

Called with a plan (see `benchmarks.stages.plan`) as a JSON file and the number of workers; with
more than one worker the notebooks must not depend on each other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def command(step: dict[str, Any]) -> list[str]:
    """The command line of one notebook."""
    papermill = Path(sysconfig.get_path("scripts"), "papermill")
    line = [str(papermill), "--no-progress-bar", step["notebook"], step["executed"]]
    for name, value in step["parameters"].items():
        line += ["-p", name, str(value)]
    return line


def execute(step: dict[str, Any]) -> None:
    """Execute one notebook."""
    Path(step["executed"]).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(command(step), check=True, stdin=subprocess.DEVNULL)


def main(plan: str, workers: str) -> None:
    """Execute all notebooks."""
    steps = json.loads(Path(plan).read_text())
    with ThreadPoolExecutor(int(workers)) as pool:
        list(pool.map(execute, steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
