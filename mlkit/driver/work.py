"""What happens to one instance: sensor, choice, attempts, retries, end."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.core.durations import format_duration
from mlkit.core.events import EventKind
from mlkit.core.instances import is_named
from mlkit.core.interrupting import WorkInterrupted
from mlkit.core.pipeline import Instance
from mlkit.core.policies import is_retryable
from mlkit.core.record import AttemptRecord, ErrorRecord
from mlkit.core.states import Status
from mlkit.driver.backoff import delay_before
from mlkit.driver.commit import Committer
from mlkit.driver.context import Context
from mlkit.driver.damage import doubtful_inputs, mend_inputs
from mlkit.driver.endings import Endings, short
from mlkit.driver.leftovers import sentence
from mlkit.driver.resumed import kept_record
from mlkit.driver.submission import (
    MissingInputError,
    Submission,
    arrivals,
    make_job,
    shown_parameters,
)
from mlkit.driver.timetable import Timetable
from mlkit.errors import UsageError
from mlkit.planner.deciding import Decision
from mlkit.planner.inputs import ResolvedInputs
from mlkit.store.computing import Claim

if TYPE_CHECKING:  # a run that reuses all makes no attempt
    from mlkit.core.progress import News
    from mlkit.driver.attempt import Job, Outcome

__all__ = ["Work"]

LOOK_EVERY_S = 0.1
"""How often a run looks whether another one still computes what it needs, too."""
_LOOKS_BACK_EVERY_S = 0.5
"""How often a run asks whether that of the interval before is done with a stage."""

_MOST_LOSSES = 2
"""How often an attempt that was lost with its worker is made again beside the stage's retries: a
notebook that takes its worker down with it would do so for ever."""


class Work:
    """Carries instances from their start to their end, in the driver's own thread.

    Parameters
    ----------
    context : Context
        The run.
    timetable : Timetable
        Where attempts, retries and sensors wait for their time.
    endings : Endings
        Who makes ends known.
    """

    def __init__(self, context: Context, timetable: Timetable, endings: Endings) -> None:
        self.context = context
        self.book = context.book
        self.state = context.book.state
        self.clock = context.order.services.clock
        self.timetable = timetable
        self.endings = endings
        self.committer = Committer(self.context)
        self.executing: dict[str, Submission] = {}
        self.retries: dict[str, int] = {}
        self.losses: dict[str, int] = {}
        self.claims: dict[str, Claim] = {}
        self._kept: Path | None = None

    def begin(self, instance: Instance) -> None:
        """Start an instance: wait for its past and its file if it has to, then choose."""
        now = self.clock.now()
        self.state.change(instance.id, status=Status.RUNNING, started=now)
        if self._has_finished(instance):
            self.choose(instance)
        elif instance.stage.depends_on_past:
            self._look_back(instance)
        else:
            self._wait_for_file(instance)

    def _look_back(self, instance: Instance, told: str = "") -> None:
        """Wait for the instance's own success in the interval before."""
        # Few stages wait for their past, and the calendar takes a while to import.
        from mlkit.driver.interval_before import asked_past

        past = asked_past(self.context, instance)
        if past.trouble:
            self.endings.fail(instance.id, "DependsOnPast", past.trouble)
        elif not past.waits_for:
            self._wait_for_file(instance)
        else:
            if told != past.waits_for:
                what: dict[str, Any] = {"for": f"its own success in run {past.waits_for}"}
                self.book.journal.emit(EventKind.STAGE_WAITING, instance.id, **what)
            self.timetable.later(
                _LOOKS_BACK_EVERY_S, lambda: self._look_back(instance, past.waits_for)
            )

    def _wait_for_file(self, instance: Instance) -> None:
        sensor = instance.stage.wait_for
        if sensor is None:
            self.choose(instance)
            return
        path: dict[str, Any] = {"for": sensor.shown}
        self.book.journal.emit(EventKind.STAGE_WAITING, instance.id, **path)
        engine = self.context.order.engine  # one that has waited as long as it may looks once more
        patience_s = 0.0 if engine is not None and engine.waited else sensor.timeout_s
        self._sense(instance, self.clock.monotonic() + patience_s)

    def _sense(self, instance: Instance, deadline: float) -> None:
        sensor = instance.stage.wait_for
        assert sensor is not None
        # a link that leads nowhere matches the pattern, but nobody can read it yet
        found = glob.iglob(str(sensor.path), recursive=True)  # noqa: PTH207 - absolute
        if any(map(os.path.exists, found)):
            self.choose(instance)
        elif self.clock.monotonic() >= deadline:
            waited = format_duration(sensor.timeout_s)
            self.endings.fail(
                instance.id, "SensorTimeout", f"no file matched {sensor.shown} in {waited}"
            )
        else:
            left = deadline - self.clock.monotonic()
            self.timetable.later(min(sensor.every_s, left), lambda: self._sense(instance, deadline))

    def _has_finished(self, instance: Instance) -> bool:
        """Whether this run ended the instance before it was resumed; its sensor was asked then."""
        earlier = self.context.previous.get(instance.id)
        return earlier is not None and earlier.result is not None

    def choose(self, instance: Instance) -> None:
        """Reuse an earlier result, keep the one of this run, or run."""
        try:
            self._choose(instance)
        except WorkInterrupted:  # the loop ends it with all that waits
            self.state.change(instance.id, status=Status.WAITING)

    def _choose(self, instance: Instance) -> None:
        try:
            inputs = arrivals(self.context, instance)
        except MissingInputError as error:
            self.endings.fail(instance.id, "MissingInput", str(error))
            return
        force = self._forced(instance)
        kept = None if force else kept_record(self.context, instance, inputs.digests)
        if kept is not None:
            self.state.put(kept)
            self.endings.end(instance.id, kept=True)
            return
        decision = self.context.planner.decide(instance, inputs.digests, force=force)
        self._act_on(decision, instance)
        if decision.action == "reuse":
            self._reuse(instance, decision, inputs)
        else:
            self._plan_attempt(instance, decision, inputs)

    def _act_on(self, decision: Decision, instance: Instance) -> None:
        """Take what is damaged out of the store, and write down what was found out by looking."""
        database, now = self.context.stores.database, self.clock.now()
        for warning in decision.warnings:
            self.book.warn(warning, instance.id)
        for digest in decision.damaged:
            self.context.stores.artifacts.drop(digest)
        for result_id in decision.lost:
            database.forget_result(result_id)
        for digest, marks in decision.marks.items():
            database.remember_marks(digest, marks, now)
        for path, (looks, digest) in self.context.planner.take_read().items():
            database.remember_digest(path, looks, digest)

    def _forced(self, instance: Instance) -> bool:
        force = self.context.order.options.force
        named = force if isinstance(force, bool) else any(is_named(t, instance.id) for t in force)
        return named or self._is_cleared(instance)

    def _is_cleared(self, instance: Instance) -> bool:
        """Whether a person had the engine do anew what has ended in an earlier round of it."""
        earlier = self.context.previous.get(instance.id)
        return earlier is not None and self._round > earlier.engine_round

    @property
    def _round(self) -> int:
        engine = self.context.order.engine
        return 1 if engine is None else engine.round

    def _reuse(self, instance: Instance, decision: Decision, inputs: ResolvedInputs) -> None:
        record = self.state.change(
            instance.id,
            status=Status.CACHED,
            engine_round=self._round,
            reason=decision.reason,
            parameters=shown_parameters(self.context, instance),
            inputs=inputs.paths,
        )
        self.state.put(self.committer.reuse(instance, decision, record))
        self.endings.end(instance.id)

    def _plan_attempt(self, instance: Instance, decision: Decision, inputs: ResolvedInputs) -> None:
        staging = self.committer.prepare_staging(instance.id)
        submission = Submission(
            instance=instance, decision=decision, inputs=inputs, staging=staging
        )
        self.state.change(
            instance.id,
            reason=decision.reason,
            parameters=shown_parameters(self.context, instance),
            inputs=inputs.paths,
        )
        self._enqueue(submission)

    def _enqueue(self, submission: Submission) -> None:
        place = self.state.turn(submission.instance.id)
        self.timetable.enqueue(place, lambda: self._start(submission))

    def _is_ours(self, submission: Submission) -> bool:
        """Whether this run is to compute it; if not, another one does, or has done meanwhile.

        It is asked when a worker is free: runs that need the same share the work between them. Who
        computes never waits for who waits, so all of them come to their end.
        """
        instance = submission.instance
        if instance.id in self.claims or not instance.stage.cache:
            return True
        forced, stores = self._forced(instance), self.context.stores
        result = (self.context.planner.pipeline.name, instance.id, submission.decision.parts.key)
        claim = stores.runs.computing.take(result, self.book.record.run_id)
        if isinstance(claim, str):
            if not forced:
                self._wait_for(claim, submission)
            return forced
        self.claims[instance.id] = claim
        found = () if forced else stores.database.results_with_key(*result)
        if all(item.id in submission.decision.seen for item in found):
            return True
        self._let_go(instance.id)
        self.context.planner.forget_today()
        self.timetable.later(0, lambda: self.choose(instance))
        return False

    def _wait_for(self, run_id: str, submission: Submission) -> None:
        """Look again in a moment: then it has made the result, or has given up, or is dead."""
        if run_id and run_id != submission.waits_for:
            submission.waits_for = run_id
            path: dict[str, Any] = {"for": f"run {run_id}, which computes the same"}
            self.book.journal.emit(EventKind.STAGE_WAITING, submission.instance.id, **path)
        self.timetable.later(LOOK_EVERY_S, lambda: self._enqueue(submission))

    def _let_go(self, instance_id: str) -> None:
        claim = self.claims.pop(instance_id, None)
        if claim is not None:
            claim.release()

    def close(self) -> None:
        """Let others compute what this run has not come to."""
        for instance_id in list(self.claims):
            self._let_go(instance_id)

    def _start(self, submission: Submission) -> bool:
        """Hand an attempt to a worker, unless another run makes it needless."""
        instance = submission.instance
        if not self._is_ours(submission):
            return False
        number = len(self.state.records[instance.id].history) + 1
        job = make_job(self.context, submission, number)
        self.executing[instance.id] = submission
        now = self.clock.now()
        is_again = instance.id in self.retries or instance.id in self.losses
        first = {} if is_again else {"started": now}
        self.book.attempt_begins(self.state.change(instance.id, begun=now, **first))
        self.book.journal.emit(
            EventKind.ATTEMPT_STARTED,
            instance.id,
            number,
            cells=len(job.notebook.code_cells),
            reason=submission.decision.reason,
        )
        self._submit(job)
        return True

    def _submit(self, job: Job) -> None:
        """Have an attempt made; its cells are told and its end is taken in in this thread."""
        table, journal = self.timetable, self.book.journal

        def on_cell(news: News) -> None:
            kind = EventKind.CELL_STARTED if news.is_start else EventKind.PROGRESS
            table.tell(lambda: journal.emit(kind, job.instance_id, job.number, **news.to_json()))

        def done(outcome: Outcome) -> None:
            table.hand_back(lambda: self.take(outcome))

        self.context.attempts.submit(job, on_cell, done)

    def take(self, outcome: Outcome) -> None:
        """Take in the end of an attempt."""
        instance_id = outcome.job.instance_id
        submission = self.executing.pop(instance_id)
        self.context.planner.forget_today()
        for told in outcome.told:
            self.book.warn(told)
        status, error = self._judged(outcome, submission)
        record = self._remember_attempt(outcome, submission, status, error)
        if status is Status.SUCCEEDED or status is Status.SKIPPED:
            ended = self.state.change(
                instance_id,
                status=status,
                engine_round=self._round,
                reason=outcome.reason or record.reason,
                ended=outcome.ended,
            )
            parts = submission.decision.parts
            self.state.put(self.committer.succeed(outcome, ended, parts))
            self._end_kept(instance_id)
            if outcome.dropped:
                self.book.warn(f"stage '{instance_id}' {sentence(outcome.dropped)}", instance_id)
            self._let_go(instance_id)
            if outcome.trouble is not None:
                raise outcome.trouble
            self.endings.end(instance_id, saved=True)
        elif status is Status.CANCELLED:
            self._let_go(instance_id)
            self.committer.fail(submission.staging, instance_id)
            self.endings.finish(instance_id, Status.CANCELLED, self.timetable.why)
        else:
            self._failed(outcome, submission, error)

    def _end_kept(self, instance_id: str) -> None:
        """End the kernel that stands where the stage failed before: it has now succeeded."""
        # Only where one has run; the place is asked for once, for there may be thousands of ends.
        from mlkit.notebook.kernels.kept_kernels import kept_place, stop_kernels

        if self._kept is None:
            self._kept = kept_place()
        if not self._kept.is_dir():
            return
        file = str(self.context.order.pipeline.file)
        try:
            stop_kernels(
                lambda kept: (kept.file, kept.stage) == (file, instance_id),
                self._kept,
                patience_s=0,
            )
        except UsageError as error:
            self.book.warn(str(error))

    def _judged(
        self, outcome: Outcome, submission: Submission
    ) -> tuple[Status, ErrorRecord | None]:
        """How an attempt ended, its inputs looked at once more."""
        try:
            mend_inputs(self.context, outcome)
            if outcome.status in (Status.SUCCEEDED, Status.SKIPPED):
                doubt = doubtful_inputs(self.context, submission.inputs, outcome.started)
                if doubt is not None:
                    return Status.FAILED, doubt
        except WorkInterrupted:
            return Status.CANCELLED, None
        if outcome.status is Status.CANCELLED and not self.timetable.stopped:
            stopped = ErrorRecord(type="Cancelled", message="stopped")
            return Status.FAILED, outcome.error or stopped
        return outcome.status, outcome.error

    def _remember_attempt(
        self, outcome: Outcome, submission: Submission, status: Status, error: ErrorRecord | None
    ) -> Any:
        attempt = AttemptRecord(
            number=outcome.job.number,
            status=status,
            started=outcome.started,
            ended=outcome.ended,
            error=error,
            delay_s=submission.delay_s,
            cpu_s=outcome.cpu_s,
            peak_memory_bytes=outcome.peak_memory_bytes,
        )
        history = (*self.state.records[outcome.job.instance_id].history, attempt)
        self.book.journal.emit(
            EventKind.ATTEMPT_FINISHED,
            outcome.job.instance_id,
            attempt.number,
            status=status.value,
            seconds=round(attempt.seconds, 3),
            error=short(error),
            cpu_s=attempt.cpu_s,
            peak_memory_bytes=attempt.peak_memory_bytes,
        )
        logged = outcome.logged  # of an attempt that failed, too: how far it came
        return self.state.change(
            outcome.job.instance_id,
            history=history,
            begun=None,
            error=error,
            metrics=logged.metrics or None,
            curves=logged.curves,
        )

    def _failed(self, outcome: Outcome, submission: Submission, error: ErrorRecord | None) -> None:
        """Try again, or end as failed."""
        instance, retry = submission.instance, submission.instance.stage.retry
        used, lost = self.retries.get(instance.id, 0), self.losses.get(instance.id, 0)
        assert error is not None
        goes_on = outcome.trouble is None and not self.timetable.stopped
        # a machine that goes away is no failure of the stage, and counts apart
        is_lost = outcome.status is Status.LOST and lost < _MOST_LOSSES
        may = is_lost or (used < retry.max_retries and is_retryable(retry, error.bases))
        if goes_on and may:
            if is_lost:
                self.losses[instance.id] = lost + 1
                submission.delay_s = 0.0
            else:
                self.retries[instance.id] = used + 1
                submission.delay_s = delay_before(retry, used)
                submission.retries = used + 1
            self.book.journal.emit(
                EventKind.RETRY_SCHEDULED,
                instance.id,
                outcome.job.number,
                delay_s=round(submission.delay_s, 3),
                next_attempt=outcome.job.number + 1,
                error=short(error),
            )
            self.book.save(self.state.records[instance.id])
            self.timetable.later(submission.delay_s, lambda: self._enqueue(submission))
            return
        self._let_go(instance.id)
        if outcome.trouble is None:
            self.committer.fail(submission.staging, instance.id)
        if outcome.not_kept:
            self.book.warn(
                f"the kernel of stage '{instance.id}' was not kept: {outcome.not_kept}", instance.id
            )
        self.endings.finish(
            instance.id, Status.FAILED, self.state.records[instance.id].reason, error
        )
        if outcome.trouble is not None:
            raise outcome.trouble
