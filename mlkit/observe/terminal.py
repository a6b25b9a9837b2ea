"""Choose how a run is shown: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from mlkit.observe.console import PlainConsole

if TYPE_CHECKING:
    from mlkit.observe.live_table import LiveConsole

__all__ = ["console_for"]


def console_for(stream: TextIO | None = None) -> LiveConsole | PlainConsole:
    """Choose the live table for a terminal, plain lines for everything else."""
    target = stream if stream is not None else sys.stderr
    if not target.isatty():
        return PlainConsole(target)
    # Rich takes 0.1 s to import, for which a run in a batch need not wait.
    from rich.console import Console

    from mlkit.observe.live_table import LiveConsole

    console = Console(file=target)
    return PlainConsole(target) if console.is_dumb_terminal else LiveConsole(console)
