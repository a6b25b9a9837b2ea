"""A schedule over a span of time in which the server was away: which interval is run, and when.

Which intervals are due is decided by mlkit's own rules (`mlkit.core.backfilling`), the same that
`mlkit serve` and `mlkit backfill` follow; only the clock and the runs are simulated, and every run
succeeds at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import field
from itertools import islice
from typing import Literal

from mlkit.core.backfilling import due, plan_intervals
from mlkit.core.intervals import Interval, Schedule, intervals
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.frozen import dataclass

__all__ = ["MOST", "Entry", "Outage", "Story", "tell"]

MOST = 31
"""How many intervals are shown."""

Fate = Literal["on time", "caught up", "backfilled", "no run"]


@dataclass(frozen=True, kw_only=True)
class Outage:
    """When the server was away, counted in intervals.

    Parameters
    ----------
    after : int
        It ran this many intervals, then it stopped.
    lasts : int
        It was away for so many of the schedule's times; 0: never.
    """

    after: int = 3
    lasts: int = 0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One interval and what became of it.

    Parameters
    ----------
    interval : Interval
        The interval.
    fate : {"on time", "caught up", "backfilled", "no run"}
        What became of it.
    run_at : datetime, optional
        When its run was made.
    """

    interval: Interval
    fate: Fate
    run_at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Story:
    """The intervals of a span, in order.

    Parameters
    ----------
    schedule : Schedule
        The schedule.
    entries : tuple of Entry
        At most 31.
    more : bool
        Whether the span holds further intervals, which are not shown.
    """

    schedule: Schedule
    entries: tuple[Entry, ...] = field(default=())
    more: bool = False

    def count(self, fate: Fate) -> int:
        """How many intervals had this fate."""
        return sum(entry.fate == fate for entry in self.entries)

    @property
    def ends(self) -> dt.datetime:
        """When the last interval is over."""
        return self.entries[-1].interval.end


def tell(
    schedule: Schedule,
    span: tuple[dt.datetime, dt.datetime],
    outage: Outage,
    *,
    catch_up: bool = False,
    backfill: bool = False,
) -> Story:
    """Let a server live through a span.

    Parameters
    ----------
    schedule : Schedule
        The schedule.
    span : tuple of datetime
        Intervals that begin within it are looked at.
    outage : Outage
        When the server was away.
    catch_up : bool
        Whether it was started with `--catch-up`.
    backfill : bool
        Whether somebody calls `mlkit backfill` for the span at the end.
    """
    found = list(islice(intervals(schedule, *span), MOST + 1))
    shown = found[:MOST]
    served = _serve(schedule, shown, outage, catch_up=catch_up)
    plans = plan_intervals(shown, _records(served)) if backfill else []
    late = {plan.interval: shown[-1].end for plan in plans if plan.action == "run"}
    made = served | late
    entries = tuple(_entry(interval, made, served) for interval in shown)
    return Story(schedule=schedule, entries=entries, more=len(found) > MOST)


def _serve(
    schedule: Schedule, shown: Sequence[Interval], outage: Outage, *, catch_up: bool
) -> dict[Interval, dt.datetime]:
    """When the server made the run of each interval."""
    made: dict[Interval, dt.datetime] = {}
    for number, newest in enumerate(shown):
        if outage.after <= number < outage.after + outage.lasts:
            continue
        for interval in due(schedule, newest, _records(made), catch_up=catch_up):
            if interval in shown:
                made[interval] = newest.end
    return made


def _records(made: dict[Interval, dt.datetime]) -> list[RunRecord]:
    return [
        RunRecord(
            run_id=interval.start.isoformat(),
            pipeline="",
            file="",
            runs_dir="",
            status=RunStatus.SUCCEEDED,
            started=moment.timestamp(),
            options={"interval": interval.to_json()},
        )
        for interval, moment in made.items()
    ]


def _entry(
    interval: Interval,
    made: dict[Interval, dt.datetime],
    served: dict[Interval, dt.datetime],
) -> Entry:
    run_at = made.get(interval)
    if run_at is None:
        return Entry(interval=interval, fate="no run")
    if interval not in served:
        return Entry(interval=interval, fate="backfilled", run_at=run_at)
    fate: Fate = "on time" if run_at == interval.end else "caught up"
    return Entry(interval=interval, fate=fate, run_at=run_at)
