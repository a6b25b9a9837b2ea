"""What learners read: run notebooks from top to bottom as Jupyter would, and ask `mlkit.check`.

Run by path with the notebooks as arguments; for each it prints a line of JSON: check id → what was
read there last. `--again`: their cells are run twice, as by somebody who has written a helper at
the bottom. Each notebook has a process of its own, forked where the libraries are
imported already, and its own time: a learner interrupts what does not come to its end.

That time is the cell's, and not the machine's: while something of the cell computes, it counts what
the processors did for it; only while all of it sleeps or waits does the clock on the wall count.
Otherwise a busy machine would stop an answer that needs a second.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import mmap
import os
import re
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ASKED = re.compile(r'mlkit\.check\("(check-[a-z0-9-]+)"\)')
READY = ("IPython.core.interactiveshell", "mlkit.testing", "networkx", "pandas", "scipy")
ALL_S = 300  # no answer takes a third of it; it ends what no interrupt does
LOOK_S = 0.2
# A look may come late: what the cell did meanwhile is not known, so that little of it counts.
LATE_S = 0.5
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str]) -> None:
    """Read what each notebook says; one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--again", action="store_true", help="run all cells twice")
    parser.add_argument("--cell-s", type=float, default=6, help="how long a cell may take")
    options = parser.parse_args(arguments)
    import matplotlib

    matplotlib.use("agg")
    for name in READY:  # what is forked behind has them, and starts at once
        importlib.import_module(name)
    for notebook in options.notebooks:
        read = _in_own_process(notebook, 1 + options.again, options.cell_s)
        sys.stdout.write(json.dumps(read) + "\n")
        sys.stdout.flush()  # what is forked next must not have it


def _in_own_process(path: Path, rounds: int, cell_s: float) -> dict[str, Any]:
    heard, told = os.pipe()
    turn = mmap.mmap(-1, 1)  # shared: which cell is run, 0 between two of them
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        os.setpgid(0, 0)
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        try:
            _tell(path, told, rounds, turn)
        finally:
            os._exit(0)
    os.close(told)
    lines = all_heard(heard, Patience(pid, cell_s), turn).decode().splitlines()
    os.close(heard)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # it has ended by itself, and was waited for
        os.waitpid(pid, 0)
    return dict(json.loads(line) for line in lines)


def all_heard(heard: int, patience: Patience, turn: mmap.mmap) -> bytes:
    """All that a process tells, which is interrupted where a learner would lose patience."""
    said = b""
    while True:
        if select.select([heard], [], [], LOOK_S)[0]:
            piece = os.read(heard, 65_536)
            said += piece
            if not piece:
                return said
        elif not patience.goes_on(turn[0]):
            return said


class Patience:
    """How long a process has worked on a cell, and an end to it.

    Parameters
    ----------
    pid : int
        The process; whatever it has started belongs to it.
    most_s : float
        How long a cell may take; it is interrupted then, and killed after twice as long.
    """

    def __init__(self, pid: int, most_s: float) -> None:
        self._pid = pid
        self._most_s = most_s
        self._cell = 0
        self._cell_s = self._all_s = 0.0
        self._looked_at = time.monotonic()
        self._used_s, _ = use(pid)
        self._interrupted = False

    def goes_on(self, cell: int) -> bool:
        """Whether the process still runs, which is interrupted if it takes too long for a cell."""
        if os.waitpid(self._pid, os.WNOHANG)[0]:
            return False
        took_s = self._took_s()
        if cell != self._cell:
            self._cell, self._cell_s, self._interrupted = cell, 0.0, False
        self._cell_s += took_s
        self._all_s += took_s
        if self._all_s > ALL_S or self._cell_s > 2 * self._most_s:
            os.killpg(self._pid, signal.SIGKILL)
        elif cell and self._cell_s > self._most_s and not self._interrupted:
            self._interrupted = True
            os.kill(self._pid, signal.SIGINT)
        return True

    def _took_s(self) -> float:
        now, (used_s, computes) = time.monotonic(), use(self._pid)
        wall_s, cpu_s = now - self._looked_at, used_s - self._used_s
        self._looked_at, self._used_s = now, used_s
        return own_s(wall_s, cpu_s, computes=computes)


def own_s(wall_s: float, cpu_s: float, *, computes: bool) -> float:
    """How much of the time since the last look was the cell's own, and not its wait for a turn."""
    return max(0.0, min(wall_s, cpu_s)) if computes else min(wall_s, LATE_S)


def use(pid: int) -> tuple[float, bool]:
    """Processor time of a process and all below it, and whether a thread of them computes."""
    stats = {int(p.name): _stat(p) for p in Path("/proc").iterdir() if p.name.isdigit()}
    known = {member: stat for member, stat in stats.items() if stat}
    mine, more = set[int](), {pid}
    while more:
        mine |= more
        more = {member for member, stat in known.items() if int(stat[1]) in mine} - mine
    ticks = sum(int(n) for member in mine & known.keys() for n in known[member][11:15])
    return ticks / TICKS_A_SECOND, any(_computes(member) for member in mine)


def _computes(pid: int) -> bool:
    try:
        threads = [*Path(f"/proc/{pid}/task").iterdir()]
    except OSError:  # it has ended
        return False
    return any(_stat(thread)[:1] == ["R"] for thread in threads)


def _stat(folder: Path) -> list[str]:
    """What proc(5) tells of a process or thread, from its state on; nothing of one that ended."""
    try:
        text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def shell_of_notebook(turn: mmap.mmap, **traits: Any) -> Any:
    """Make this process's IPython, which SIGINT interrupts while it is a cell's turn."""
    # only in the process that runs cells
    from IPython.core.interactiveshell import InteractiveShell

    def interrupt(number: int, frame: Any) -> None:
        """As Jupyter's; one that comes too late, between two cells, is none."""
        if turn[0]:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)

    class Shell(InteractiveShell):
        """A notebook's shell as far as `%matplotlib inline` needs one."""

        def enable_gui(self, gui: Any = None) -> None:
            """There is no window here."""

    return Shell.instance(**traits)


def _tell(path: Path, told: int, rounds: int, turn: mmap.mmap) -> None:
    """Run the cells; write each check's name and what was read when it was asked."""
    os.chdir(path.parent)
    os.environ["JPY_SESSION_NAME"] = str(path)
    shell = shell_of_notebook(turn)
    for number, source in enumerate([*_code(path)] * rounds):
        turn[0] = 1 + number % 255
        with contextlib.redirect_stdout(io.StringIO()):
            found = shell.run_cell(source, store_history=True).result
        turn[0] = 0
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
