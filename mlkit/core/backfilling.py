"""Which intervals of a schedule are to be run. Pure: decided from the records of earlier runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Literal

from mlkit.core.intervals import Interval, Schedule, belongs, intervals
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.frozen import dataclass

__all__ = ["MOST_INTERVALS", "Planned", "due", "interval_of", "left_out", "plan_intervals"]

MOST_INTERVALS = 1000
"""What is asked for at once; more is a slip."""

_ENDED = (RunStatus.SUCCEEDED, RunStatus.FAILED)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What is to be done for one interval, and why.

    Parameters
    ----------
    interval : Interval
        The interval.
    action : {"run", "keep"}
        Run it, or keep the run that it has.
    reason : str
        Why.
    run_id : str, optional
        The newest run that it has; of a kept one, the successful run.
    """

    interval: Interval
    action: Literal["run", "keep"]
    reason: str
    run_id: str | None = None


def interval_of(run: RunRecord) -> Interval | None:
    """The interval of the schedule that a run was made for; None if it was started by hand."""
    found = run.options.get("interval")
    return None if found is None else Interval.from_json(found)


def plan_intervals(
    wanted: Iterable[Interval], runs: Iterable[RunRecord], *, rerun: bool = False
) -> list[Planned]:
    """Decide for each interval whether it is run: it is unless it has a successful run.

    Parameters
    ----------
    wanted : iterable of Interval
        The intervals.
    runs : iterable of RunRecord
        Earlier runs of the pipeline, oldest first.
    rerun : bool
        Run intervals that have a successful run again.
    """
    had: dict[Interval, list[RunRecord]] = {}
    for run in runs:
        interval = interval_of(run)
        if interval is not None:
            had.setdefault(interval, []).append(run)
    return [_plan(interval, had.get(interval, ()), rerun=rerun) for interval in wanted]


def _plan(interval: Interval, had: Sequence[RunRecord], *, rerun: bool) -> Planned:
    good = [run for run in had if run.ok]
    if good and not rerun:
        run_id = good[-1].run_id
        return Planned(interval=interval, action="keep", reason="has its run", run_id=run_id)
    if not had:
        return Planned(interval=interval, action="run", reason="has no run")
    ended = {RunStatus.SUCCEEDED: "succeeded", RunStatus.FAILED: "failed"}
    word = ended.get(had[-1].status, "was stopped")
    reason = f"run {had[-1].run_id} {word}"
    return Planned(interval=interval, action="run", reason=reason, run_id=had[-1].run_id)


def due(
    schedule: Schedule, newest: Interval, runs: Iterable[RunRecord], *, catch_up: bool
) -> list[Interval]:
    """Give the intervals that a schedule's time asks for; none twice, oldest first.

    Parameters
    ----------
    schedule : Schedule
        The schedule.
    newest : Interval
        The interval that has just ended.
    runs : iterable of RunRecord
        Earlier runs of the pipeline.
    catch_up : bool
        Also those that were missed since the last interval whose run has ended: the oldest 1000,
        and if there are more, the rest the next time.
    """
    ended = _ended(runs)
    missed = _since(schedule, newest, ended) if catch_up else []
    wanted = missed if len(missed) == MOST_INTERVALS else [*missed, newest]
    return [interval for interval in wanted if interval not in ended]


def left_out(schedule: Schedule, newest: Interval, runs: Iterable[RunRecord]) -> list[Interval]:
    """Give the intervals before the newest that were missed since the last one that was run."""
    ended = _ended(runs)
    return [item for item in _since(schedule, newest, ended) if item not in ended]


def _ended(runs: Iterable[RunRecord]) -> set[Interval]:
    found = {interval_of(run) for run in runs if run.status in _ENDED}
    return {interval for interval in found if interval is not None}


def _since(schedule: Schedule, newest: Interval, ended: set[Interval]) -> list[Interval]:
    """The intervals between the last that ended, of this very schedule, and the newest."""
    for last in sorted(ended, reverse=True):
        if last.end <= newest.start and belongs(schedule, last):
            return list(islice(intervals(schedule, last.end, newest.start), MOST_INTERVALS))
    return []
