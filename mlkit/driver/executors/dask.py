"""Attempts on the workers of a Dask cluster, through its `concurrent.futures` interface."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from mlkit.core.progress import News
from mlkit.core.record import ErrorRecord
from mlkit.core.states import Status
from mlkit.driver.attempt import Job, Outcome
from mlkit.driver.executors import Site, Workshop
from mlkit.driver.executors.dask_cluster import (
    TCP,
    TLS,
    Crew,
    connected,
    silent,
    threads_of_workers,
)
from mlkit.driver.executors.dask_task import Reply, Task, cancel, carry_out
from mlkit.driver.executors.receiving import received
from mlkit.errors import ExecutionError, MlkitError
from mlkit.notebook.imports import modules_to_preload
from mlkit.notebook.notebook_runner import OnCell

__all__ = ["DaskExecutor", "DaskTlsExecutor", "count_threads"]

ALONE_FOR_S = 30.0
"""How long a cluster may be without any worker before a run gives up."""

LOOK_EVERY_S = 1.0
_PATIENCE_S = 5.0
"""How long the threads that speak to the cluster may take to end."""


@dataclass(kw_only=True)
class _Flight:
    """An attempt under way."""

    job: Job
    on_cell: OnCell
    done: Callable[[Outcome], None]
    started: float
    future: Future[Reply] | None = None
    worker: str | None = None
    allowed: frozenset[str] = frozenset()
    """The workers that it was handed to; none while it waits for a free one."""


class DaskExecutor:
    """Executes attempts on a cluster.

    Parameters
    ----------
    address : str
        `HOST:PORT` of the scheduler.
    site : Site
        Where the run works.

    Raises
    ------
    UsageError
        If the cluster cannot be reached, has no worker, or its workers see neither the runs folder
        nor a store.
    """

    link = TCP
    workshop: Workshop

    def __init__(self, address: str, site: Site) -> None:
        self.site = site
        self._client = connected(address, self.link)
        try:
            self._crew = Crew(self._client, site)
        except BaseException as error:
            with contextlib.suppress(OSError):
                self._client.close(_PATIENCE_S)
            if isinstance(error, OSError):
                raise silent(address) from error
            raise
        self._told: list[str] = []
        self._topic = f"mlkit-{secrets.token_hex(8)}"
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()
        self._receiver = ThreadPoolExecutor(2, thread_name_prefix="mlkit-dask")
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def attach(self, workshop: Workshop) -> None:
        """Begin to work for a run: hear what workers tell, and see that there are any."""
        self.workshop = workshop
        self._clock = workshop.order.services.clock
        self._cancellation = workshop.order.services.cancellation
        self._preload = tuple(modules_to_preload(workshop.order.pipeline))
        self._client.subscribe_topic(self._topic, self._hear)
        self._unsubscribe = self._cancellation.subscribe(self._cancel_soon)
        self._start(self._look)

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=f"mlkit-dask{target.__name__}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def submit(self, job: Job, on_cell: OnCell, done: Callable[[Outcome], None]) -> None:
        """Hand an attempt to the cluster."""
        token = secrets.token_hex(8)
        flight = _Flight(job=job, on_cell=on_cell, done=done, started=self._clock.now())
        with self._lock:
            self._flights[token] = flight
        try:
            if not self._crew.is_shared:
                self.workshop.store.share(artifact.digest for artifact in job.inputs)
        except MlkitError as error:
            self._settle(token, Status.FAILED, trouble=error)
            return
        self._hand_out()
        if self._cancellation.requested:
            self._cancel_soon()

    def _hand_out(self) -> None:
        """Give attempts to the cluster, as many as its workers can work on.

        The others wait here: the cluster would fix now which workers may have them, and those that
        join meanwhile are to have their share.
        """
        while True:
            with self._lock:
                fit = frozenset(self._crew.fit)
                waiting = [token for token, flight in self._flights.items() if not flight.allowed]
                under_way = len(self._flights) - len(waiting)
                is_full = under_way >= self._crew.threads
                if not waiting or is_full or self._cancellation.requested:
                    return
                flight = self._flights[waiting[0]]
                flight.allowed = fit
            self._hand_over(waiting[0], flight)

    def _hand_over(self, token: str, flight: _Flight) -> None:
        executor = self._client.get_executor(pure=False, retries=0, workers=sorted(flight.allowed))
        try:
            flight.future = executor.submit(carry_out, self._task(token, flight.job))
        except (OSError, RuntimeError) as error:
            self._settle(token, Status.FAILED, trouble=_gone(f"the Dask cluster is gone ({error})"))
            return
        flight.future.add_done_callback(lambda future: self._arrived(token, future))
        if self._cancellation.requested:  # its cancelling may have come before there was a future
            self._cancel_soon()

    def _arrived(self, token: str, future: Future[Reply]) -> None:
        """Have an end taken in; those that come of leaving the cluster end nothing any more."""
        with contextlib.suppress(RuntimeError):
            self._receiver.submit(self._receive, token, future)

    def _task(self, token: str, job: Job) -> Task:
        own = {name: value for name, value in job.brief.env.items() if name.startswith("MLKIT_")}
        own.update(job.brief.settings)
        return Task(
            token=token,
            topic=self._topic,
            job=job.told(env=own),
            kernel=self.workshop.order.options.start,
            preload=self._preload,
            store=str(self.workshop.store.path),
            store_url=self.site.store_url,
            is_shared=self._crew.is_shared,
        )

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Take in what a worker tells of an attempt."""
        told = event[1]
        flight = self._flights.get(told["token"])
        if flight is None:
            return
        flight.worker = told["worker"]
        if "cell" in told:
            flight.on_cell(News.from_json(told))

    def _receive(self, token: str, future: Future[Reply]) -> None:
        """Take in the end of an attempt."""
        with self._lock:
            flight = self._flights.get(token)
        if flight is None:
            return
        if future.cancelled():
            self._lost(token)
            return
        error = future.exception()
        if error is not None:
            self._failed(token, error)
            return
        try:
            outcome = received(future.result(), flight.job, self.workshop.store)
        except MlkitError as trouble:
            self._settle(token, Status.FAILED, trouble=trouble)
            return
        self._deliver(token, outcome)

    def _lost(self, token: str) -> None:
        if self._cancellation.requested:
            self._settle(token, Status.CANCELLED)
            return
        self._settle(token, Status.FAILED, trouble=_gone("the Dask cluster has lost an attempt"))

    def _failed(self, token: str, error: BaseException) -> None:
        """Of Dask's own errors, a worker that died is the notebook's bad luck; others are ours."""
        kind = type(error).__name__
        message = self.workshop.order.scrubber.text(str(error))
        if isinstance(error, MlkitError):
            self._settle(token, Status.FAILED, trouble=error)
            return
        if kind == "KilledWorker":
            lost = ErrorRecord(type="LostProcess", message=message, bases=("mlkit.DeadKernel",))
            self._settle(token, Status.LOST, error=lost)
            return
        record = ErrorRecord(type=kind, message=message, bases=("mlkit.Internal",))
        self._settle(token, Status.FAILED, error=record)

    def _settle(
        self,
        token: str,
        status: Status,
        error: ErrorRecord | None = None,
        trouble: MlkitError | None = None,
    ) -> None:
        flight = self._flights.get(token)
        if flight is None:
            return
        if trouble is not None:
            error = ErrorRecord(type=type(trouble).__name__, message=str(trouble))
        self._deliver(
            token,
            Outcome(
                job=flight.job,
                status=status,
                started=flight.started,
                ended=self._clock.now(),
                error=error,
                trouble=trouble,
            ),
        )

    def _deliver(self, token: str, outcome: Outcome) -> None:
        with self._lock:
            flight = self._flights.pop(token, None)
            told, self._told = self._told, []
        if flight is not None:
            flight.done(replace(outcome, told=tuple(told)))
            self._hand_out()

    def _cancel_soon(self) -> None:
        self._start(self._cancel)

    def _cancel(self) -> None:
        """Have workers end what they carry out, and take back what none has begun."""
        with self._lock:
            flights = dict(self._flights)
        for token, flight in flights.items():
            if not flight.allowed:
                self._settle(token, Status.CANCELLED)
            elif flight.worker is None and flight.future is not None:
                flight.future.cancel()
        begun = [token for token, flight in flights.items() if flight.worker is not None]
        if begun:
            with contextlib.suppress(OSError):  # of a cluster that has gone, the look takes notice
                self._client.run(cancel, begun, on_error="ignore")

    def _look(self) -> None:
        """Use who joins; give up when the cluster has gone, or has long been without workers."""
        alone_since, now = None, self._clock.monotonic
        while not self._ended.wait(LOOK_EVERY_S):
            reached = self._looked()
            if reached and self._crew.fit:
                alone_since = None
                self._hand_out()
                continue
            if not reached and self._cancellation.requested:
                self._give_up(Status.CANCELLED)  # nobody will say that they have ended
                continue
            alone_since = alone_since or now()
            if now() - alone_since > ALONE_FOR_S and self._flights:
                others = "; ".join(self._crew.refused.values())
                left = f"has no worker left that can work: {others}" if others else ""
                fact = (left or "has no worker left") if reached else "does not answer any more"
                self._give_up(Status.FAILED, _gone(f"the Dask cluster {fact}"))

    def _give_up(self, status: Status, trouble: MlkitError | None = None) -> None:
        """Wait no longer for any attempt."""
        for token in list(self._flights):
            self._settle(token, status, trouble=trouble)

    def _looked(self) -> bool:
        """Take in who has come and gone; whether the cluster answers."""
        if self._client.status != "running":
            return False
        try:
            told = self._crew.look()
        except OSError:  # it went away in this instant
            return False
        with self._lock:
            self._told += told
        self._miss_the_dead()
        return True

    def _miss_the_dead(self) -> None:
        """Take back attempts whose workers have all died: the cluster would wait for them."""
        with self._lock:
            flights = dict(self._flights)
        for token, flight in flights.items():
            if flight.allowed and flight.future and not flight.allowed & self._crew.fit.keys():
                lost = ErrorRecord(
                    type="LostProcess",
                    message="the worker that was to run the notebook died",
                    bases=("mlkit.DeadKernel",),
                )
                self._settle(token, Status.LOST, error=lost)
                flight.future.cancel()

    def close(self) -> None:
        """Take back what was not begun, and leave the cluster."""
        self._ended.set()
        if hasattr(self, "workshop"):
            self._unsubscribe()
        self._receiver.shutdown(wait=False)
        for thread in self._threads:
            thread.join(_PATIENCE_S)
        with contextlib.suppress(OSError):  # a cluster that does not answer is not waited for
            self._client.close(_PATIENCE_S)


class DaskTlsExecutor(DaskExecutor):
    """Executes attempts on a cluster whose connections are encrypted."""

    link = TLS


def _gone(fact: str) -> ExecutionError:
    return ExecutionError(
        fact,
        remedy="What was finished is kept: 'mlkit resume RUN' goes on when the cluster is there, "
        "or with --executor threads",
    )


def count_threads(address: str, link: str = TCP) -> int:
    """How many threads the workers of a cluster have together."""
    client = connected(address, link)
    try:
        return max(1, sum(threads_of_workers(client).values()))
    except OSError as error:
        raise silent(address) from error
    finally:
        with contextlib.suppress(OSError):
            client.close(_PATIENCE_S)
