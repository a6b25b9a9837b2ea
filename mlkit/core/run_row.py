"""What the table of runs shows of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlkit.core.states import RunStatus

__all__ = ["RunRow"]


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run in a few values: thousands of them are read where one record would be.

    Parameters
    ----------
    run_id, pipeline : str
        Which run, of which pipeline.
    status : RunStatus
        Its state.
    started, ended : float
        Seconds since 1970 (UTC); no end as long as it runs.
    parameters : mapping
        The pipeline's parameters; secrets are not shown.
    profile, group, note : str
        The profile that was chosen, the sweep that it is of, and what was noted; empty without.
    labels : tuple of str
        Its names.
    metrics : mapping of str to float
        What its stages measured: `STAGE.NAME`, of an instance `STAGE[VALUE].NAME`.
    counts : mapping of str to int
        How many of its stages have which state, where that was asked for.
    """

    run_id: str
    pipeline: str
    status: RunStatus
    started: float
    ended: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    profile: str = ""
    group: str = ""
    note: str = ""
    labels: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """How long it took; None as long as it runs."""
        return None if self.ended is None else max(0.0, self.ended - self.started)
