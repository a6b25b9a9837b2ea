"""Attempts in threads of the driver's own process; each has its kernel process all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlkit.core.record import ErrorRecord
from mlkit.core.states import Status
from mlkit.driver.executors import Site, Workshop
from mlkit.errors import UsageError
from mlkit.notebook.notebook_runner import OnCell

if TYPE_CHECKING:
    from mlkit.driver.attempt import Job, Outcome

__all__ = ["ThreadsExecutor"]


class ThreadsExecutor:
    """The default.

    Parameters
    ----------
    address : str
        Empty: there is nothing to connect to.
    site : Site
        Where the run works.
    """

    workshop: Workshop

    def __init__(self, address: str, site: Site) -> None:
        if address:
            raise UsageError(f"threads take no address ('{address}')", remedy="Write threads")

    def attach(self, workshop: Workshop) -> None:
        """Begin to work for a run."""
        self.workshop = workshop

    def submit(self, job: Job, on_cell: OnCell, done: Callable[[Outcome], None]) -> None:
        """Hand an attempt to a thread."""
        # What has a job knows it already; a run that reuses all never comes here.
        from mlkit.driver.attempt import Outcome, perform

        workshop, services = self.workshop, self.workshop.order.services

        def attempt() -> None:
            started = services.clock.now()
            try:
                told = job if workshop.tracking is None else workshop.tracking.told(job)
                runner = workshop.machinery.runner(job.instance_id.partition("[")[0])
                with services.cancellation.part(job.instance_id) as cancellation:
                    outcome = perform(
                        told, runner, workshop.store, on_cell, cancellation, services.clock.now
                    )
            except BaseException as error:  # noqa: BLE001 - whatever happens, the loop must hear of it
                outcome = Outcome(
                    job=job,
                    status=Status.FAILED,
                    started=started,
                    ended=services.clock.now(),
                    error=ErrorRecord(
                        type=type(error).__name__,
                        message=workshop.order.scrubber.text(str(error)),
                        bases=("mlkit.Internal",),
                    ),
                )
            done(outcome)

        workshop.machinery.executor().submit(attempt)

    def close(self) -> None:
        """Leave the threads to the run's machinery, which ends them with the kernels."""
