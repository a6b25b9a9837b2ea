"""One mlkit in a process of its own: it runs what it is told on standard input, an object a line.

It is started by path with the private environment's Python, so that versions of packages are real,
and it lives through many runs, as JupyterLab does. It asks only for what `mlkit` exports, so that
earlier revisions can be driven by it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEPT = ("pandas", "joblib")
"""What some cells import, takes long, and is never changed: imported ahead for a reference."""

_added: list[str] = []
_runner: Any = None


def main() -> None:
    """Answer until standard input ends."""
    with contextlib.ExitStack() as until_the_end:
        _serve(until_the_end)


def _serve(until_the_end: contextlib.ExitStack) -> None:
    asked = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    _import_ahead()
    for line in asked:
        print(json.dumps(_answer(json.loads(line), until_the_end)), file=answers, flush=True)


def _import_ahead() -> None:
    from mlkit.notebook.execute import warm_up

    importlib.import_module("mlkit.driver.start")
    warm_up()


def _reference_runner(until_the_end: contextlib.ExitStack) -> Any:
    """Give kernels that are kept from run to run, so that one from nothing costs little.

    They find nothing imported that ever changes.
    """
    global _runner  # one for all runs of this process
    if _runner is None:
        from mlkit.driver.surroundings import kernel_environment
        from mlkit.notebook.execute import PapermillRunner
        from mlkit.notebook.kernels import open_kernels

        environment = kernel_environment(os.environ)
        kernels = open_kernels("fork", preload=KEPT, env=environment, say=print)
        until_the_end.callback(kernels.close)
        _runner = PapermillRunner(kernels)
    return _runner


def _answer(ask: dict[str, Any], until_the_end: contextlib.ExitStack) -> dict[str, Any]:
    from mlkit import RunOptions, run
    from mlkit.driver.services import Services
    from mlkit.errors import MlkitError

    os.environ.clear()
    os.environ.update(ask["environ"])
    _search(ask["search"])
    observers = [_meanwhile(ask["meanwhile"])] if ask["meanwhile"] else []
    runner = _reference_runner(until_the_end) if ask.get("reference") else None
    try:
        record = run(
            Path(ask["pipeline"]),
            runs_dir=ask["runs"],
            options=RunOptions(workers=2, force=ask["force"]),
            services=Services(observers=observers, runner=runner),
        )
    except MlkitError as error:
        return {"refused": str(error), "stages": {}}
    return {"refused": None, "stages": {key: _stage(item) for key, item in record.stages.items()}}


def _search(folders: list[str]) -> None:
    """Have `sys.path` as PYTHONPATH would have made it in a new process."""
    for folder in _added:
        sys.path.remove(folder)
    _added[:] = folders
    sys.path[:0] = folders


def _stage(item: Any) -> dict[str, Any]:
    texts = [Path(path).read_text(encoding="utf-8") for path in item.outputs.values()]
    error = None if item.error is None else f"{item.error.type}: {item.error.message}"
    return {
        "status": str(item.status),
        "text": texts[0] if texts and not error else None,
        "reason": item.reason,
        "error": error,
    }


def _meanwhile(moves: list[list[str]]) -> Callable[[Any], None]:
    """Move files into their places when the last cell of a stage is about to run."""
    left = list(moves)

    def observe(event: Any) -> None:
        if str(event.kind) == "cell_started" and event.data["cell"] == event.data["cells"]:
            while left:
                source, target = left.pop()
                Path(source).replace(target)

    return observe


if __name__ == "__main__":
    main()
