"""How long the command line takes to say what it can do."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measure import Contender
from benchmarks.workload import Goal, Workload, against, mlkit

__all__ = ["build"]

HELP = "mlkit --help"
TYPER = "python -c 'import typer'"


def build(folder: Path) -> Workload:
    """Against the library that parses the command line."""
    return Workload(
        name="startup",
        about="`mlkit --help`",
        contenders=[
            Contender(name=HELP, command=mlkit("--help"), cwd=folder),
            Contender(name=TYPER, command=(sys.executable, "-c", "import typer"), cwd=folder),
        ],
        goals=(
            Goal(
                text="against `python -c 'import typer'` ≤ 1.3",
                value=against(HELP, TYPER),
                limit=1.3,
            ),
        ),
    )
