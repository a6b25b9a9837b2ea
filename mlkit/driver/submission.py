"""An instance on its way through its attempts, and the hand-over to a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlkit.core.events import EventKind
from mlkit.core.pipeline import Instance
from mlkit.driver.attempt import Job, Outcome
from mlkit.driver.context import Context
from mlkit.driver.timetable import Timetable
from mlkit.planner.deciding import Decision, Planner
from mlkit.planner.inputs import ResolvedInputs

__all__ = ["Submission"]


@dataclass(kw_only=True)
class Submission:
    """What stays the same from one attempt of an instance to the next, and the last delay.

    Parameters
    ----------
    instance : Instance
        The stage, or one value of it.
    decision : Decision
        Why it runs, and the parts of its fingerprint.
    inputs : ResolvedInputs
        What it is handed.
    staging : Path
        Its staging folder.
    delay_s : float
        How long it waited before the coming attempt.
    """

    instance: Instance
    decision: Decision
    inputs: ResolvedInputs
    staging: Path
    delay_s: float = 0.0

    def code_cells(self, planner: Planner) -> int:
        """How many code cells the notebook has, without the injected one."""
        return len(planner.notebook(self.instance).code_cells)

    def start(
        self, context: Context, job: Job, timetable: Timetable, take: Callable[[Outcome], None]
    ) -> None:
        """Hand an attempt to a worker; its outcome is taken in its turn, come what may."""
        journal = context.book.journal

        def on_cell(number: int, total: int) -> None:
            timetable.tell(
                lambda: journal.emit(
                    EventKind.CELL_STARTED, job.instance_id, job.number, cell=number, cells=total
                )
            )

        def done(outcome: Outcome) -> None:
            timetable.hand_back(lambda: take(outcome))

        context.attempts.submit(job, on_cell, done)
