"""Papermill's API, as its documentation shows it; with more workers, in threads.

Called with a plan (see `benchmarks.stages.plan`) as a JSON file and the number of workers; with
more than one worker the notebooks must not depend on each other.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import papermill


def execute(step: dict[str, Any]) -> None:
    """Execute one notebook."""
    Path(step["executed"]).parent.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(
        step["notebook"], step["executed"], parameters=step["parameters"], progress_bar=False
    )


def main(plan: str, workers: str) -> None:
    """Execute all notebooks."""
    steps = json.loads(Path(plan).read_text())
    with ThreadPoolExecutor(int(workers)) as pool:
        list(pool.map(execute, steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
