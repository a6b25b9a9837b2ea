"""The floor: the code of all notebooks in one plain Python process, one after the other.

Called with a plan (see `benchmarks.stages.plan`) as a JSON file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def execute(step: dict[str, Any]) -> None:
    """Execute the code cells of a notebook in a namespace of its own."""
    Path(step["executed"]).parent.mkdir(parents=True, exist_ok=True)
    namespace = {"__name__": "__main__", **step["parameters"]}
    for cell in json.loads(Path(step["notebook"]).read_text())["cells"]:
        if "parameters" not in cell["metadata"].get("tags", []):
            exec(compile(cell["source"], step["notebook"], "exec"), namespace)


def main(plan: str) -> None:
    """Execute all notebooks."""
    for step in json.loads(Path(plan).read_text()):
        execute(step)


if __name__ == "__main__":
    main(sys.argv[1])
