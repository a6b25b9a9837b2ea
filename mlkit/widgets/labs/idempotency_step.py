"""A step that writes a file in one of four ways, and waits to be killed at a chosen point.

It is run as a process of its own, by its path: `python idempotency_step.py METHOD FILE ROWS POINT`.
When it reaches the point it says so on its standard output and waits for a line that never comes;
its parent then kills it (SIGKILL), which no `finally` and no clean-up survives.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

Reach = Callable[[str], None]


def rows(count: int) -> list[str]:
    """The lines that a right result holds: the same for every run."""
    return [f"2013-01-{day:02d},{(day * 37) % 60}" for day in range(1, count + 1)]


def write_lines(file: TextIO, lines: list[str], reach: Reach) -> None:
    """Write one line after the other, each of them to the disk's cache at once."""
    for number, line in enumerate(lines):
        if number == len(lines) // 2:
            reach("half")
        file.write(line + "\n")
        file.flush()
    reach("written")


def append(path: Path, lines: list[str], reach: Reach) -> None:
    """Add the lines at the end of whatever is there."""
    with path.open("a", encoding="utf-8") as file:
        reach("opened")
        write_lines(file, lines, reach)


def overwrite(path: Path, lines: list[str], reach: Reach) -> None:
    """Empty the file, then fill it."""
    with path.open("w", encoding="utf-8") as file:
        reach("opened")
        write_lines(file, lines, reach)


def remove_then_write(path: Path, lines: list[str], reach: Reach) -> None:
    """Delete the old file, then write a new one."""
    path.unlink(missing_ok=True)
    reach("opened")
    with path.open("w", encoding="utf-8") as file:
        write_lines(file, lines, reach)


def atomic_replace(path: Path, lines: list[str], reach: Reach) -> None:
    """Write aside, in the same folder; then put the new file in place in one step."""
    aside = path.with_name(path.name + ".part")
    with aside.open("w", encoding="utf-8") as file:
        reach("opened")
        write_lines(file, lines, reach)
        os.fsync(file.fileno())
    os.replace(aside, path)  # noqa: PTH105 - the call that the lesson is about


METHODS: dict[str, Callable[[Path, list[str], Reach], None]] = {
    "append": append,
    "overwrite": overwrite,
    "remove then write": remove_then_write,
    "atomic replace": atomic_replace,
}


def main(method: str, path: str, count: str, point: str) -> None:
    """Run the step, and stop at the point."""

    def reach(here: str) -> None:
        if here == point:
            sys.stdout.write("reached\n")
            sys.stdout.flush()
            sys.stdin.readline()

    METHODS[method](Path(path), rows(int(count)), reach)


if __name__ == "__main__":
    main(*sys.argv[1:])
