"""The driver's loop: start what may start, wait, take in what has ended, until all is finished.

One thread owns the state, the database and the folders. Attempts run in workers' threads and
report through an inbox; retries and sensors are timers.
"""

from __future__ import annotations

import heapq
import itertools
import queue
from collections import deque
from collections.abc import Callable
from typing import Any

from mlkit.core.events import EventKind
from mlkit.core.pipeline import Instance, Stage
from mlkit.core.states import FINISHED, SUCCESSFUL, RunStatus, Status
from mlkit.core.triggers import Verdict, judge
from mlkit.driver.attempt import Outcome
from mlkit.driver.context import Context
from mlkit.driver.work import Work
from mlkit.planner.conditions import ConditionError, unmet_condition
from mlkit.planner.mapping import MappingError, instances_of

__all__ = ["Loop"]

_WAKE = object()


class Loop:
    """Runs the selected stages of one pipeline.

    Parameters
    ----------
    context : Context
        What the run works with.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.state = context.state
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.timers: list[tuple[float, int, Callable[[], None]]] = []
        self.ready: list[tuple[int, int, Callable[[], None]]] = []
        self.fresh: deque[str] = deque()
        self.count = itertools.count()
        self.running = 0
        self.stopping: Status | None = None
        self.work = Work(self)

    def run(self) -> RunStatus:
        """Run until everything has finished; a request to cancel ends it early.

        Returns
        -------
        RunStatus
            How the run ended.
        """
        unsubscribe = self.context.cancellation.subscribe(lambda: self.inbox.put(_WAKE))
        try:
            self.fresh.extend(self.state.order)
            self._turn()
        except BaseException:
            self.context.cancellation.request()
            self._drain()
            raise
        finally:
            unsubscribe()
            self.work.close()
        return RunStatus.CANCELLED if self._was_cancelled() else self.state.verdict()

    def _was_cancelled(self) -> bool:
        return self.context.cancellation.requested and self.stopping is Status.CANCELLED

    def _turn(self) -> None:
        """Work until nothing is running, ready or timed."""
        while True:
            self._notice_cancellation()
            self._consider_fresh()
            self._pump()
            if not self.running and not self.timers:
                if any(r.status not in FINISHED for r in self.state.own_records().values()):
                    self._notice_cancellation()  # given up before it had started
                return
            item = self.context.clock.wait(self.inbox, self._until_timer())
            self._notice_cancellation()
            if isinstance(item, Outcome):
                self.running -= 1
                self.work.take(item)
            elif item is not None and item is not _WAKE:
                item()
            self._fire()

    def _notice_cancellation(self) -> None:
        """Stop if that was asked for, before taking in an outcome that may come of it."""
        if self.context.cancellation.requested and self.stopping is None:
            self.stop("the run was interrupted")

    def _until_timer(self) -> float | None:
        if not self.timers:
            return None
        return max(0.0, self.timers[0][0] - self.context.clock.monotonic())

    def _fire(self) -> None:
        while self.timers and self.timers[0][0] <= self.context.clock.monotonic():
            heapq.heappop(self.timers)[2]()

    def _pump(self) -> None:
        """Start what is ready, as many at once as there are workers."""
        while self.ready and self.running < self.context.options.workers and not self.stopping:
            start = heapq.heappop(self.ready)[2]
            start()

    def _drain(self) -> None:
        """Wait until the attempts under way have noticed the cancellation."""
        while self.running:
            if isinstance(self.inbox.get(), Outcome):
                self.running -= 1

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call something when a delay has passed."""
        due = self.context.clock.monotonic() + delay_s
        heapq.heappush(self.timers, (due, next(self.count), call))

    def enqueue(self, place: int, start: Callable[[], None]) -> None:
        """Start an attempt as soon as a worker is free, earlier stages first."""
        heapq.heappush(self.ready, (place, next(self.count), start))

    def stop(self, reason: str, status: Status = Status.CANCELLED) -> None:
        """Start nothing more, interrupt what is running, and end what waits as cancelled."""
        self.stopping = status
        self.ready.clear()
        self.timers.clear()
        self.context.cancellation.request()
        for record in list(self.state.own_records().values()):
            if record.status is Status.WAITING or (
                record.status is Status.RUNNING and record.id not in self.work.executing
            ):
                self.work.finish(record.id, Status.CANCELLED, reason)

    def consider(self, name: str) -> None:
        """Look whether a stage may start, and if so, start it; or end it without starting."""
        stage = self.state.pipeline.stages[name]
        if self.stopping or name not in self.state.own or not self.state.is_open(name):
            return
        lost = [node for node in stage.upstream if not self.state.at(node)]
        if lost:
            fact = f"there is no '{lost[0]}' in this run: the value is not in the list"
            for instance_id in list(self.state.ids[name]):
                self.work.fail(instance_id, "MissingInput", fact)
            return
        verdict = judge(stage.trigger, self.state.statuses(stage.upstream))
        if verdict is Verdict.UPSTREAM_FAILED:
            self._end_all(name, Status.UPSTREAM_FAILED, self._blame(stage, SUCCESSFUL))
        elif verdict is Verdict.SKIP:
            self._end_all(name, Status.SKIPPED, self._blame(stage, frozenset()))
        elif verdict is Verdict.START and self.state.are_done(stage.data_upstream):
            self._open(stage)

    def _blame(self, stage: Stage, spared: frozenset[Status]) -> str:
        """Say which upstream stages decided."""
        told = [
            f"{record.id} {record.status.value}"
            for node in stage.upstream
            for record in self.state.at(node)
            if record.status in FINISHED and record.status not in spared
        ]
        return f"{stage.trigger.value}: {', '.join(dict.fromkeys(told))}"

    def _open(self, stage: Stage) -> None:
        """Start a stage whose trigger rule says so: conditions first, then its instances."""
        try:
            unmet = unmet_condition(stage, self.work.find)
            instances = None if unmet else self._instances(stage)
        except (ConditionError, MappingError) as error:
            for instance_id in list(self.state.ids[stage.name]):
                self.work.fail(instance_id, type(error).__name__, str(error))
            return
        if unmet is not None:
            self._end_all(stage.name, Status.SKIPPED, unmet)
            return
        if not instances:
            self._end_all(stage.name, Status.SKIPPED, "the list of values is empty")
            return
        for instance in instances:
            self.work.begin(instance)

    def _instances(self, stage: Stage) -> list[Instance]:
        known = self.state.instances[stage.name]
        if known is None:
            known = instances_of(stage, self.work.find)
            if known:
                self.state.expand(stage.name, known)
                ids = [instance.id for instance in known]
                self.context.journal.emit(EventKind.STAGE_MAPPED, stage.name, instances=ids)
                known = self.state.instances[stage.name] or []
        return [i for i in known if self.state.records[i.id].status is Status.WAITING]

    def _end_all(self, name: str, status: Status, reason: str) -> None:
        for instance_id in list(self.state.ids[name]):
            if self.state.records[instance_id].status is Status.WAITING:
                self.work.finish(instance_id, status, reason)

    def after(self, name: str) -> None:
        """Have what is downstream of a stage looked at, in its turn."""
        self.fresh.extend(self.state.downstream.get(name, ()))

    def _consider_fresh(self) -> None:
        while self.fresh:
            self.consider(self.fresh.popleft())
