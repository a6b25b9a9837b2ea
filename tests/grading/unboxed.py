"""Run the cells of submissions without a sandbox, and tell what came out of each.

Run as a module from the root of the repository. Every line of standard input is a job:
`{"steps": [[ID, SOURCE]…], "data": {NAME: PATH}}`; for each it prints a line: cell id → what came
out of it. Each job has a process of its own, forked where the libraries are imported already, and a
folder that is removed behind it. Only for answers that the tests have written: nothing holds them
back.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import mmap
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.grading.learner import READY, Patience, all_heard, shell_of_notebook

CELL_S = 10.0


def main() -> None:
    """Run each job; one after the other."""
    import matplotlib

    matplotlib.use("agg")
    for name in READY:
        importlib.import_module(name)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_in_own_process(json.loads(line))) + "\n")
        sys.stdout.flush()  # what is forked next must not have it


def _in_own_process(job: Mapping[str, Any]) -> dict[str, Any]:
    read, told = os.pipe()
    turn = mmap.mmap(-1, 1)
    with tempfile.TemporaryDirectory() as folder:
        for name, path in job["data"].items():
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        pid = os.fork()
        if pid == 0:
            os.close(read)
            os.setpgid(0, 0)
            _silence()
            try:
                os.chdir(folder)
                _tell(job["steps"], told, turn)
            finally:
                os._exit(0)
        os.close(told)
        lines = all_heard(read, Patience(pid, CELL_S), turn).decode().splitlines()
        os.close(read)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return dict(json.loads(line) for line in lines)


def _silence() -> None:
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


def _tell(steps: list[list[str]], told: int, turn: mmap.mmap) -> None:
    shell = shell_of_notebook(turn, colors="nocolor")
    for number, (name, source) in enumerate(steps):
        printed = io.StringIO()
        turn[0] = 1 + number % 255
        with contextlib.redirect_stdout(printed):
            ran = shell.run_cell(source, store_history=True)
        turn[0] = 0
        error = ran.error_before_exec or ran.error_in_exec
        seen: dict[str, Any] = {"text": printed.getvalue(), "error": None}
        seen |= {"error_text": "", "ended": ""}
        # A traceback that IPython printed is no part of what the cell printed.
        if error is not None:
            seen |= {"error": type(error).__name__, "error_text": str(error)}
            seen["text"] = re.split(r"^-{75}$", seen["text"], flags=re.MULTILINE)[0]
        if isinstance(error, KeyboardInterrupt):
            seen |= {"error": None, "error_text": "", "ended": "timeout"}
        os.write(told, (json.dumps([name, seen]) + "\n").encode())


if __name__ == "__main__":
    main()
