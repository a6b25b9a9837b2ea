"""What learners read: run notebooks from top to bottom as Jupyter would, and ask `mlkit.check`.

Run by path with the notebooks as arguments; for each it prints a line of JSON: check id → what was
read there last. `--again` before them: their cells are run twice, as by somebody who has written a
helper at the bottom. Each notebook has a process of its own, forked where the libraries are
imported already, and its own time: a learner interrupts what does not come to its end.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ASKED = re.compile(r'mlkit\.check\("(check-[a-z0-9-]+)"\)')
READY = ("IPython.core.interactiveshell", "mlkit.testing", "networkx", "pandas", "scipy")
CELL_S = 6
ALL_S = 40


def main(notebooks: Sequence[str]) -> None:
    """Read what each notebook says; one after the other."""
    import matplotlib

    matplotlib.use("agg")
    for name in READY:  # what is forked behind has them, and starts at once
        importlib.import_module(name)
    rounds = 2 if notebooks[0] == "--again" else 1
    for notebook in notebooks[rounds - 1 :]:
        sys.stdout.write(json.dumps(_in_own_process(Path(notebook), rounds)) + "\n")
        sys.stdout.flush()  # what is forked next must not have it


def _in_own_process(path: Path, rounds: int) -> dict[str, Any]:
    heard, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        os.setpgid(0, 0)
        signal.alarm(ALL_S)
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        try:
            _tell(path, told, rounds)
        finally:
            os._exit(0)
    os.close(told)
    with os.fdopen(heard, encoding="utf-8") as answer:
        lines = answer.read().splitlines()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return dict(json.loads(line) for line in lines)


def _tell(path: Path, told: int, rounds: int) -> None:
    """Run the cells; write each check's name and what was read when it was asked."""
    from IPython.core.interactiveshell import InteractiveShell

    os.chdir(path.parent)
    os.environ["JPY_SESSION_NAME"] = str(path)
    signal.signal(signal.SIGALRM, signal.default_int_handler)

    class Shell(InteractiveShell):
        """A notebook's shell as far as `%matplotlib inline` needs one."""

        def enable_gui(self, gui: Any = None) -> None:
            """There is no window here."""

    shell: Any = Shell.instance()
    for source in [*_code(path)] * rounds:
        signal.alarm(CELL_S)
        with contextlib.redirect_stdout(io.StringIO()):
            found = shell.run_cell(source, store_history=True).result
        signal.alarm(0)
        asked = ASKED.fullmatch(source.strip())
        if asked is not None:
            read = {"status": found.status, "message": found.message, "more": found.more}
            os.write(told, (json.dumps([asked[1], read]) + "\n").encode())


def _code(path: Path) -> Iterator[str]:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            source = cell["source"]
            yield source if isinstance(source, str) else "".join(source)


if __name__ == "__main__":
    main(sys.argv[1:])
