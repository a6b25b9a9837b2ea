"""Runs for the intervals of a schedule: one each, and a whole span of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from mlkit.api.choices import with_profile, with_values
from mlkit.api.local_run import run
from mlkit.api.records import up_to_date
from mlkit.api.runs_place import runs_folder
from mlkit.api.scheduling import read_schedule, read_span
from mlkit.core.backfilling import MOST_INTERVALS, Planned, plan_intervals
from mlkit.core.intervals import Schedule, intervals
from mlkit.core.logical_date import LOGICAL_DATE, takes_logical_date
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.load.parameters import Layers, configure
from mlkit.store.claiming import claimed
from mlkit.store.folder import RunsFolder
from mlkit.store.looking import looked_at

__all__ = ["Filled", "Filling", "backfill", "fill", "plan_backfill", "scheduled_runs"]


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What came of one interval.

    Parameters
    ----------
    planned : Planned
        What was to be done.
    record : RunRecord, optional
        The run that was made; None if the interval kept the run it had, or was not reached.
    note : str
        Why there is no run, if one was wanted.
    """

    planned: Planned
    record: RunRecord | None = None
    note: str = ""

    @property
    def status(self) -> str:
        """`kept`, the run's status, or `left_out`."""
        if self.record is not None:
            return self.record.status.value
        return "kept" if self.planned.action == "keep" else "left_out"

    def to_json(self) -> dict[str, Any]:
        """The interval and its run as JSON."""
        record = self.record
        return {
            **self.planned.interval.to_json(),
            "action": self.planned.action,
            "reason": self.note or self.planned.reason,
            "status": self.status,
            "run_id": self.planned.run_id if record is None else record.run_id,
            "seconds": None if record is None else round(record.seconds, 3),
        }


@dataclass(frozen=True, kw_only=True)
class Filling:
    """How the run of an interval is made.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    layers : Layers
        Its parameters; `logical_date` is not among them.
    options : RunOptions
        What is asked of each run.
    runs_dir : Path
        The runs folder.
    rerun : bool
        Run intervals again that have a successful run.
    """

    pipeline: Pipeline
    layers: Layers
    options: RunOptions
    runs_dir: Path
    rerun: bool = False

    def check(self) -> None:
        """Refuse what would fail before the first stage of every run.

        Raises
        ------
        MlkitError
            If a parameter is invalid, or `logical_date` is given by hand.
        """
        given = configure(self.pipeline, self.layers)
        if LOGICAL_DATE in {name.rpartition(".")[2] for name in given.overrides}:
            raise UsageError(
                f"'{LOGICAL_DATE}' is given, but each interval's run receives its own",
                remedy="Leave it out, or use 'mlkit run' for one date",
                code="E106",
            )
        if takes_logical_date(self.pipeline):
            moment = dt.datetime(2013, 1, 1, tzinfo=dt.UTC).isoformat()
            configure(self.pipeline, with_values({LOGICAL_DATE: moment}, self.layers))


def scheduled_runs(pipeline: Pipeline, runs_dir: Path) -> list[RunRecord]:
    """Read the runs of a pipeline that were made for intervals, without their stages."""
    folder, _ = up_to_date(runs_dir)
    there = set(folder.run_ids())
    with looked_at(folder) as database:
        return [run for run in database.scheduled_runs(pipeline.name) if run.run_id in there]


def plan_backfill(
    filling: Filling,
    schedule: Schedule,
    span: tuple[dt.datetime, dt.datetime],
    now: dt.datetime | None = None,
) -> tuple[list[Planned], int]:
    """Say what a backfill would do with each interval that begins in a span.

    Parameters
    ----------
    filling : Filling
        How runs are made.
    schedule : Schedule
        The schedule.
    span : tuple of datetime
        The start, and the first moment after it.
    now : datetime, optional
        The present moment.

    Returns
    -------
    list of Planned
        One for each interval that is over.
    int
        How many intervals of the span are not over yet.

    Raises
    ------
    UsageError
        If the span holds more than 1000 intervals.
    """
    now = now or dt.datetime.now(dt.UTC)
    stop = min(span[1], max(now, span[0]))
    found = list(islice(intervals(schedule, span[0], stop), MOST_INTERVALS + 1))
    if len(found) > MOST_INTERVALS:
        raise UsageError(
            f"the span holds more than {MOST_INTERVALS:,} intervals of '{schedule.when.text}'",
            remedy="Choose a shorter span, or another schedule with --schedule",
            code="E106",
        )
    over = [interval for interval in found if interval.end <= now]
    runs = scheduled_runs(filling.pipeline, filling.runs_dir)
    return plan_intervals(over, runs, rerun=filling.rerun), len(found) - len(over)


def fill(filling: Filling, planned: Planned, services: Services | None = None) -> Filled:
    """Make the run of one interval, unless it has one or somebody else is making it."""
    if planned.action == "keep":
        return Filled(planned=planned)
    interval, pipeline = planned.interval, filling.pipeline
    name = f"{pipeline.name} {interval.start.timestamp():.0f} {interval.end.timestamp():.0f}"
    services = services or Services()
    lost = partial(services.cancellation.request, "another machine has taken the interval over")
    with claimed(RunsFolder(filling.runs_dir), name, lost) as holder:
        if holder:
            return Filled(planned=planned, note=f"{holder} is running it")
        runs = scheduled_runs(pipeline, filling.runs_dir)
        (again,) = plan_intervals([interval], runs, rerun=filling.rerun)
        if again.action == "keep":
            return Filled(planned=again)
        moment = {LOGICAL_DATE: interval.start.isoformat()}
        record = run(
            pipeline,
            parameters=moment if takes_logical_date(pipeline) else None,
            layers=filling.layers,
            options=replace(filling.options, interval=interval),
            runs_dir=filling.runs_dir,
            services=services,
        )
    return Filled(planned=planned, record=record)


def backfill(  # noqa: PLR0913 - keywords: each is asked for by its name
    pipeline: Pipeline | Path | str,
    *,
    first: str,
    last: str,
    schedule: str | None = None,
    timezone: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    runs_dir: Path | str | None = None,
    rerun: bool = False,
    options: RunOptions | None = None,
) -> Sequence[Filled]:
    """Make one run for each interval of a schedule that has none, oldest first.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder.
    first, last : str
        ISO dates: intervals that begin on the first, the last, or a day between.
    schedule : str, optional
        A cron expression, or `every 6h`, in place of the pipeline's own.
    timezone : str, optional
        The zone whose clock the schedule follows, in place of the pipeline's own.
    parameters : mapping, optional
        Values for `NAME` or `STAGE.NAME`.
    runs_dir : Path or str, optional
        The runs folder.
    rerun : bool
        Run intervals again that have a successful run.
    options : RunOptions, optional
        What is asked of each run.

    Returns
    -------
    sequence of Filled
        One for each interval; a failed run does not keep the others from being made.
    """
    current, options = with_profile(pipeline, options or RunOptions())
    chosen = read_schedule(current, schedule, timezone)
    filling = Filling(
        pipeline=current,
        layers=with_values(parameters, None),
        options=options,
        runs_dir=runs_folder(current, runs_dir),
        rerun=rerun,
    )
    filling.check()
    plans, _ = plan_backfill(filling, chosen, read_span(first, last, chosen.zone))
    filled: list[Filled] = []
    for planned in plans:
        filled.append(fill(filling, planned))
        if filled[-1].status == "cancelled":
            break
    return filled
