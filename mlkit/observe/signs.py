"""How a state is shown: a glyph and a word, so that colour is never the only sign."""

from __future__ import annotations

from collections.abc import Mapping

from mlkit.core.states import RunStatus, Status
from mlkit.frozen import dataclass

__all__ = ["RUN_SIGNS", "SIGNS", "Sign"]


@dataclass(frozen=True, kw_only=True)
class Sign:
    """The looks of one state.

    Parameters
    ----------
    glyph : str
        One character that differs from every other state's.
    word : str
        The state in plain words.
    style : str
        The colour of the word in a terminal, in rich's terms.
    """

    glyph: str
    word: str
    style: str

    def __str__(self) -> str:
        """Glyph and word."""
        return f"{self.glyph} {self.word}"


SIGNS: Mapping[Status, Sign] = {
    Status.WAITING: Sign(glyph="○", word="waiting", style="dim"),
    Status.RUNNING: Sign(glyph="▶", word="running", style="yellow"),
    Status.SUCCEEDED: Sign(glyph="✓", word="succeeded", style="green"),
    Status.CACHED: Sign(glyph="≡", word="cached", style="cyan"),
    Status.FAILED: Sign(glyph="✗", word="failed", style="bold red"),
    Status.SKIPPED: Sign(glyph="»", word="skipped", style="dim"),
    Status.UPSTREAM_FAILED: Sign(glyph="△", word="upstream failed", style="magenta"),
    Status.CANCELLED: Sign(glyph="■", word="cancelled", style="magenta"),
    Status.LOST: Sign(glyph="⊘", word="lost", style="bold magenta"),
}

RUN_SIGNS: Mapping[RunStatus, Sign] = {
    RunStatus.RUNNING: SIGNS[Status.RUNNING],
    RunStatus.SUCCEEDED: SIGNS[Status.SUCCEEDED],
    RunStatus.FAILED: SIGNS[Status.FAILED],
    RunStatus.CANCELLED: SIGNS[Status.CANCELLED],
    RunStatus.KILLED: Sign(glyph="■", word="killed", style="bold magenta"),
    RunStatus.WAITING: SIGNS[Status.WAITING],
}
