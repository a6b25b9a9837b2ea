"""Which intervals are run."""

from __future__ import annotations

import datetime as dt

from mlkit.core.backfilling import due, left_out, plan_intervals
from mlkit.core.cron import parse_cron
from mlkit.core.intervals import Interval, Schedule, intervals, last_interval
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus

DAILY = Schedule(when=parse_cron("0 0 * * *"))
DAYS = list(
    intervals(DAILY, dt.datetime(2013, 1, 1, tzinfo=dt.UTC), dt.datetime(2013, 1, 8, tzinfo=dt.UTC))
)


def _run(interval: Interval | None, status: RunStatus, run_id: str = "r") -> RunRecord:
    options = {} if interval is None else {"interval": interval.to_json()}
    return RunRecord(
        run_id=run_id, pipeline="p", file="", runs_dir="", status=status, started=0, options=options
    )


def test_an_interval_with_a_successful_run_is_kept() -> None:
    """The others say why they are run: none, a failure, or a run that was stopped."""
    runs = [
        _run(DAYS[0], RunStatus.SUCCEEDED, "good"),
        _run(DAYS[1], RunStatus.FAILED, "bad"),
        _run(DAYS[2], RunStatus.RUNNING, "killed"),
        _run(None, RunStatus.SUCCEEDED, "by hand"),
    ]
    plans = plan_intervals(DAYS[:4], runs)
    assert [plan.action for plan in plans] == ["keep", "run", "run", "run"]
    assert [plan.reason for plan in plans] == [
        "has its run",
        "run bad failed",
        "run killed was stopped",
        "has no run",
    ]
    assert [plan.run_id for plan in plans] == ["good", "bad", "killed", None]


def test_a_success_is_not_undone_by_a_later_failure() -> None:
    """An interval that was run again by hand, and failed, still has its run."""
    runs = [_run(DAYS[0], RunStatus.SUCCEEDED, "a"), _run(DAYS[0], RunStatus.FAILED, "b")]
    (plan,) = plan_intervals(DAYS[:1], runs)
    assert (plan.action, plan.run_id) == ("keep", "a")
    (again,) = plan_intervals(DAYS[:1], runs, rerun=True)
    assert again.action == "run"


def test_an_interval_of_another_schedule_is_another() -> None:
    """A month that begins on the same day as a day does not stand for it."""
    month = Interval(start=DAYS[0].start, end=dt.datetime(2013, 2, 1, tzinfo=dt.UTC))
    (plan,) = plan_intervals(DAYS[:1], [_run(month, RunStatus.SUCCEEDED)])
    assert plan.action == "run"


def test_only_the_newest_is_due() -> None:
    """What was missed before it is left out, and can be told."""
    runs = [_run(DAYS[0], RunStatus.SUCCEEDED)]
    assert due(DAILY, DAYS[3], runs, catch_up=False) == [DAYS[3]]
    assert left_out(DAILY, DAYS[3], runs) == DAYS[1:3]


def test_catch_up_takes_what_was_missed_oldest_first() -> None:
    """Since the last interval whose run has ended, however it ended."""
    runs = [
        _run(DAYS[0], RunStatus.SUCCEEDED),
        _run(DAYS[1], RunStatus.FAILED),
        _run(DAYS[3], RunStatus.CANCELLED),
    ]
    assert due(DAILY, DAYS[4], runs, catch_up=True) == DAYS[2:5]


def test_runs_of_another_schedule_are_no_beginning() -> None:
    """Months that were backfilled ask for no minutes in between."""
    month = Interval(start=DAYS[0].start, end=dt.datetime(2013, 2, 1, tzinfo=dt.UTC))
    minutes = Schedule(when=parse_cron("* * * * *"))
    newest = last_interval(minutes, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    runs = [_run(month, RunStatus.SUCCEEDED)]
    assert due(minutes, newest, runs, catch_up=True) == [newest]


def test_a_long_pause_is_caught_up_in_parts() -> None:
    """1000 intervals at once, the oldest first; the newest comes when it is reached."""
    minutes = Schedule(when=parse_cron("* * * * *"))
    (first,) = intervals(minutes, DAYS[0].start, DAYS[0].start + dt.timedelta(minutes=1))
    runs = [_run(first, RunStatus.SUCCEEDED)]
    newest = last_interval(minutes, DAYS[2].start)
    wanted = due(minutes, newest, runs, catch_up=True)
    assert len(wanted) == 1000
    assert wanted[0].start == first.end
    rest = due(
        minutes,
        newest,
        [*runs, *(_run(item, RunStatus.FAILED) for item in wanted)],
        catch_up=True,
    )
    assert rest[0].start == wanted[-1].end


def test_nothing_is_due_twice() -> None:
    """The newest interval has its run already, say from a backfill or a server before."""
    runs = [_run(DAYS[3], RunStatus.SUCCEEDED)]
    for catch_up in (False, True):
        assert due(DAILY, DAYS[3], runs, catch_up=catch_up) == []


def test_without_any_run_only_the_newest_is_due() -> None:
    """Nobody says where catching up would begin."""
    assert due(DAILY, DAYS[3], [], catch_up=True) == [DAYS[3]]
    assert left_out(DAILY, DAYS[3], []) == []
