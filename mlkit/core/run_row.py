"""What the table of runs shows of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from mlkit.core.states import RunStatus
from mlkit.frozen import dataclass

__all__ = ["RunRow"]


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run in a few values: thousands of them are read where one record would be.

    Parameters
    ----------
    run_id, pipeline : str
        Which run, of which pipeline.
    status : RunStatus, optional
        Its state; None of one that has not begun.
    started, ended : float
        Seconds since 1970 (UTC); no end as long as it runs.
    idle_s : float
        How long it lay still before it was resumed.
    said : str
        The words for its state where its status says too little: `stopped early`, `kept`.
    parameters : mapping
        The pipeline's parameters, and what the run gave to one stage alone, `STAGE.NAME`; secrets
        are not shown.
    profile, group, interval, note : str
        The profile that was chosen, the sweep that it is of, the interval of the schedule that it
        is for, and what was noted; empty without.
    labels : tuple of str
        Its names.
    metrics : mapping of str to float
        What its stages measured: `STAGE.NAME`, of an instance `STAGE[VALUE].NAME`.
    counts : mapping of str to int
        How many of its stages have which state, where that was asked for.
    """

    run_id: str
    pipeline: str
    status: RunStatus | None
    started: float = 0.0
    ended: float | None = None
    idle_s: float = 0.0
    said: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    profile: str = ""
    group: str = ""
    interval: str = ""
    note: str = ""
    labels: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The word for its state in files and conditions."""
        return "to_come" if self.status is None else self.status.value

    @property
    def seconds(self) -> float | None:
        """How long it took; None as long as it runs."""
        if self.ended is None:
            return None
        return max(0.0, self.ended - self.started - self.idle_s)
