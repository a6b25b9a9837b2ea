"""The story of a run: start what may start, wait, take in what has ended, until all is finished.

One thread owns the state, the database and the folders. Attempts run in workers' threads and
report through the timetable, where retries and sensors wait as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mlkit.core.events import EventKind
from mlkit.core.pipeline import Node, Stage
from mlkit.core.record import StageRecord
from mlkit.core.states import RunStatus, Status
from mlkit.core.triggers import NOT_STARTED, Verdict, blame, judge_tally
from mlkit.driver.context import Context
from mlkit.driver.endings import Endings
from mlkit.driver.timetable import Timetable
from mlkit.driver.work import Work
from mlkit.planner.conditions import ConditionError, unmet_condition
from mlkit.planner.mapping import MappingError, instances_of

__all__ = ["Loop"]

WITHDRAWN = "what it depends on has changed, or it had not begun"
"""Why stages end of a run that was withdrawn."""

NO_VALUES: Mapping[str, str] = MappingProxyType({})
"""The values of a stage as a whole."""


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
        self.fresh: deque[tuple[str, Mapping[str, str]]] = deque((n, {}) for n in self.state.order)
        self.outlines: dict[tuple[str, Node], tuple[bool, ...]] = {}
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
        forget = cancellation.on_withdrawal(lambda: self.timetable.tell(self._heed_cancellation))
        try:
            self._go_on_until_all_is_finished()
        except BaseException:
            cancellation.request()
            self.timetable.drain()
            raise
        finally:
            unsubscribe()
            forget()
            self.work.close()
            self.endings.close()
            self.context.book.save_waiting()
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
        cancellation = self.context.order.services.cancellation
        if self.stopping is not None:
            return
        if cancellation.requested:
            self._stop(cancellation.why or "the run was interrupted", Status.CANCELLED)
        elif cancellation.withdrawn:
            self._begin_nothing_more(WITHDRAWN, Status.CANCELLED)

    def _heed_ends(self) -> None:
        """Have what is downstream of ended stages looked at; a failure may stop everything."""
        while self.endings.ended:
            record = self.endings.ended.popleft()
            failed = record.status is Status.FAILED and record.critical
            if failed and self.context.order.options.fail_fast and self.stopping is None:
                self._stop(f"stage '{record.id}' failed (--fail-fast)", Status.FAILED)
            self._look_below(record)

    def _look_below(self, record: StageRecord) -> None:
        """Have those looked at whose turn may have come now that an instance has ended.

        A chained stage is looked at as a whole only where something changes for all its instances;
        otherwise those are looked at that refer to this very one.
        """
        for name in self.state.downstream.get(record.stage, ()):
            stage = self.state.pipeline.stages[name]
            if not stage.is_chained or self.state.instances[name] is None:
                self.fresh.append((name, {}))
                continue
            for node in stage.upstream:
                if node.stage == record.stage:
                    self._look_at_readers(stage, node, record)

    def _look_at_readers(self, stage: Stage, node: Node, record: StageRecord) -> None:
        if not node.is_chained:
            outline = self.state.tally([node], {}).outline
            if self.outlines.get((stage.name, node)) != outline:
                self.outlines[stage.name, node] = outline
                self.fresh.append((stage.name, {}))
            return
        theirs = self.state.tables[record.stage].own(record.id)
        if not theirs:  # it ended before its values were known
            self.fresh.append((stage.name, {}))
        elif all(p.value in (None, theirs[p.parameter]) for p in node.picks):
            same = {p.parameter: theirs[p.parameter] for p in node.picks if p.value is None}
            self.fresh.append((stage.name, same))

    def _stop(self, reason: str, status: Status) -> None:
        """Start nothing more, interrupt what is running, and end what waits as cancelled."""
        self.context.order.services.cancellation.request()
        self._begin_nothing_more(reason, status)

    def _begin_nothing_more(self, reason: str, status: Status) -> None:
        self.stopping = status
        self.timetable.stop(reason)
        for record in list(self.state.own_records().values()):
            if record.status is Status.WAITING or (
                record.status is Status.RUNNING and record.id not in self.work.executing
            ):
                self.endings.finish(record.id, Status.CANCELLED, reason)

    def _consider_fresh(self) -> None:
        self._heed_ends()
        while self.fresh:
            self._consider(*self.fresh.popleft())
            self._heed_ends()
        self.context.book.save_waiting()

    def _consider(self, name: str, wanted: Mapping[str, str]) -> None:
        """Look whether a stage, or some instances, may start; or end them without starting."""
        stage = self.state.pipeline.stages[name]
        if self.stopping or name not in self.state.own:
            return
        if not stage.is_chained or not self._is_spread(stage):
            if self.state.is_waiting(name):
                self._consider_together(stage)
            return
        instances = self.state.instances[name] or {}
        for instance_id in self.state.tables[name].matching(wanted):
            if self.state.records[instance_id].status is Status.WAITING:
                self._consider_together(stage, instance_id, instances[instance_id].labels)

    def _is_spread(self, stage: Stage) -> bool:
        """Whether a chained stage's instances are known, made known now if they can be.

        They wait for one another's upstream no longer than they must: as soon as the lists are
        there, and not when everything above has ended.
        """
        if self.state.instances[stage.name] is not None:
            return True
        sources = () if stage.foreach is None else stage.foreach.sources
        if not all(self.state.find(source.node, source.output) for source in sources):
            return False
        try:
            self._spread(stage)
        except MappingError:
            return False  # said in the stage's own turn
        return self.state.instances[stage.name] is not None

    def _consider_together(
        self, stage: Stage, one: str | None = None, own: Mapping[str, str] = NO_VALUES
    ) -> None:
        """Decide for one instance, or for all of a stage that wait, who wait for the same.

        These are thousands, and what they wait for may be thousands too, each of whose ends leads
        here: who they are is asked only when something is decided.
        """
        lost = [n for n in stage.upstream if not self.state.tally([n], own).total]
        verdict = judge_tally(stage.trigger, self.state.tally(stage.upstream, own))
        if not lost and verdict is Verdict.WAIT:
            return
        ids = self.state.waiting(stage.name) if one is None else [one]
        if lost:
            missing = self.state.named(lost[0], own)
            fact = f"there is no '{missing}' in this run: the value is not in the list"
            for instance_id in ids:
                self.endings.fail(instance_id, "MissingInput", fact)
            return
        if verdict in NOT_STARTED:
            upstream = [record for node in stage.upstream for record in self.state.at(node, own)]
            reason = blame(stage.trigger, verdict, upstream)
            self._end_all(ids, NOT_STARTED[verdict], reason)
        elif verdict is Verdict.START and self.state.tally(stage.data_upstream, own).done:
            self._open(stage, ids)

    def _open(self, stage: Stage, ids: Sequence[str]) -> None:
        """Start what a trigger rule says so of: conditions first, then the instances."""
        try:
            unmet = unmet_condition(stage, self.state.find)
            if unmet is None and self.state.instances[stage.name] is None:
                if not self._spread(stage):
                    self._end_all(ids, Status.SKIPPED, "the list of values is empty")
                    return
                ids = self.state.waiting(stage.name)
        except (ConditionError, MappingError) as error:
            for instance_id in ids:
                self.endings.fail(instance_id, type(error).__name__, str(error))
            return
        if unmet is not None:
            self._end_all(ids, Status.SKIPPED, unmet)
            return
        instances = self.state.instances[stage.name] or {}
        for instance_id in ids:
            self.work.begin(instances[instance_id])

    def _spread(self, stage: Stage) -> bool:
        """Put a stage's instances in the place of its one entry; False if there are none."""
        found = instances_of(stage, self.state.find)
        if not found:
            return False
        if not self.state.expand(stage.name, found):
            raise MappingError(
                f"there is no '{self.state.selection.wanted}' in this run: the value is not in "
                "the list"
            )
        ids = list(self.state.tables[stage.name].ids)
        self.context.book.journal.emit(EventKind.STAGE_MAPPED, stage.name, instances=ids)
        return True

    def _end_all(self, ids: Sequence[str], status: Status, reason: str) -> None:
        for instance_id in ids:
            if self.state.records[instance_id].status is Status.WAITING:
                self.endings.finish(instance_id, status, reason)
