"""The story of a run: start what may start, wait, take in what has ended, until all is finished.

One thread owns the state, the database and the folders. Attempts run in workers' threads and
report through the timetable, where retries and sensors wait as well.
"""

from __future__ import annotations

from collections import deque

from mlkit.core.events import EventKind
from mlkit.core.pipeline import Instance, Stage
from mlkit.core.states import RunStatus, Status
from mlkit.core.triggers import NOT_STARTED, Verdict, blame, judge
from mlkit.driver.context import Context
from mlkit.driver.endings import Endings
from mlkit.driver.timetable import Timetable
from mlkit.driver.work import Work
from mlkit.planner.conditions import ConditionError, unmet_condition
from mlkit.planner.mapping import MappingError, instances_of

__all__ = ["Loop"]


class Loop:
    """Runs the selected stages of one pipeline.

    Parameters
    ----------
    context : Context
        What the run works with.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.state = context.book.state
        self.fresh: deque[str] = deque(self.state.order)
        self.stopping: Status | None = None
        self.timetable = Timetable(context.order.services.clock, context.order.options.workers)
        self.endings = Endings(context.book)
        self.work = Work(context, self.timetable, self.endings)

    def run(self) -> RunStatus:
        """Run until everything has finished; a request to cancel ends it early.

        Returns
        -------
        RunStatus
            How the run ended.
        """
        cancellation = self.context.order.services.cancellation
        unsubscribe = cancellation.subscribe(lambda: self.timetable.tell(self._heed_cancellation))
        try:
            self._go_on_until_all_is_finished()
        except BaseException:
            cancellation.request()
            self.timetable.drain()
            raise
        finally:
            unsubscribe()
            self.endings.close()
        cancelled = cancellation.requested and self.stopping is Status.CANCELLED
        return RunStatus.CANCELLED if cancelled else self.state.verdict()

    def _go_on_until_all_is_finished(self) -> None:
        while True:
            self._heed_cancellation()
            self._consider_fresh()
            self.timetable.start_ready()
            if self.timetable.is_idle:
                if not self.state.is_finished():
                    self._heed_cancellation()  # given up before it had started
                return
            news = self.timetable.wait()
            self._heed_cancellation()  # before an outcome is taken in that may come of it
            if news is not None:
                news()
                self._heed_ends()
            for call in self.timetable.due():
                call()
                self._heed_ends()

    def _heed_cancellation(self) -> None:
        if self.context.order.services.cancellation.requested and self.stopping is None:
            self._stop("the run was interrupted", Status.CANCELLED)

    def _heed_ends(self) -> None:
        """Have what is downstream of ended stages looked at; a failure may stop everything."""
        while self.endings.ended:
            record = self.endings.ended.popleft()
            failed = record.status is Status.FAILED and record.critical
            if failed and self.context.order.options.fail_fast and self.stopping is None:
                self._stop(f"stage '{record.id}' failed (--fail-fast)", Status.FAILED)
            self.fresh.extend(self.state.downstream.get(record.stage, ()))

    def _stop(self, reason: str, status: Status) -> None:
        """Start nothing more, interrupt what is running, and end what waits as cancelled."""
        self.stopping = status
        self.timetable.stop()
        self.context.order.services.cancellation.request()
        for record in list(self.state.own_records().values()):
            if record.status is Status.WAITING or (
                record.status is Status.RUNNING and record.id not in self.work.executing
            ):
                self.endings.finish(record.id, Status.CANCELLED, reason)

    def _consider_fresh(self) -> None:
        self._heed_ends()
        while self.fresh:
            self._consider(self.fresh.popleft())
            self._heed_ends()

    def _consider(self, name: str) -> None:
        """Look whether a stage may start, and if so, start it; or end it without starting."""
        stage = self.state.pipeline.stages[name]
        if self.stopping or name not in self.state.own or not self.state.is_open(name):
            return
        lost = [node for node in stage.upstream if not self.state.at(node)]
        if lost:
            fact = f"there is no '{lost[0]}' in this run: the value is not in the list"
            for instance_id in list(self.state.ids[name]):
                self.endings.fail(instance_id, "MissingInput", fact)
            return
        verdict = judge(stage.trigger, self.state.statuses(stage.upstream))
        if verdict in NOT_STARTED:
            upstream = [record for node in stage.upstream for record in self.state.at(node)]
            reason = blame(stage.trigger, verdict, upstream)
            self._end_all(name, NOT_STARTED[verdict], reason)
        elif verdict is Verdict.START and self.state.are_done(stage.data_upstream):
            self._open(stage)

    def _open(self, stage: Stage) -> None:
        """Start a stage whose trigger rule says so: conditions first, then its instances."""
        try:
            unmet = unmet_condition(stage, self.state.find)
            instances = None if unmet else self._instances(stage)
        except (ConditionError, MappingError) as error:
            for instance_id in list(self.state.ids[stage.name]):
                self.endings.fail(instance_id, type(error).__name__, str(error))
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
            known = instances_of(stage, self.state.find)
            if known:
                self.state.expand(stage.name, known)
                ids = [instance.id for instance in known]
                self.context.book.journal.emit(EventKind.STAGE_MAPPED, stage.name, instances=ids)
                known = self.state.instances[stage.name] or []
        return [i for i in known if self.state.records[i.id].status is Status.WAITING]

    def _end_all(self, name: str, status: Status, reason: str) -> None:
        for instance_id in list(self.state.ids[name]):
            if self.state.records[instance_id].status is Status.WAITING:
                self.endings.finish(instance_id, status, reason)
