"""`mlkit backfill`: one run for each interval of the schedule that has none."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Annotated, Any

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.cli.run_display import observed, observed_aside
from mlkit.cli.run_options import Given, layers_of, takes_run_options
from mlkit.cli.shared_options import (
    EnvFileOption,
    FilesOption,
    JsonOption,
    MetricsOption,
    ParametersOption,
    PipelineArgument,
    RunsDirOption,
    TimezoneOption,
    parallel_option,
)
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.core.backfilling import Planned
from mlkit.core.durations import format_duration
from mlkit.core.intervals import Schedule
from mlkit.core.logical_date import LOGICAL_DATE, takes_logical_date
from mlkit.core.run_row import RunRow
from mlkit.core.states import RunStatus
from mlkit.driver.interrupts import interruptible
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.observe.layout import columns, counted, terminal_width
from mlkit.reports.run_table import NOTHING, RunTable

__all__ = ["backfill"]

SIGNS = {"succeeded": "✓", "kept": "=", "failed": "✗", "cancelled": "⊘", "left_out": "–"}


@takes_run_options
def backfill(
    pipeline: PipelineArgument = None,
    *,
    first: Annotated[
        str,
        typer.Option(
            "--from", metavar="DATE", help="The first day on which an interval may begin."
        ),
    ],
    last: Annotated[
        str,
        typer.Option("--to", metavar="DATE", help="The last day on which an interval may begin."),
    ],
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule",
            metavar="CRON",
            help="Another schedule than pipeline.yaml's, such as '0 0 1 * *' or 'every 6h'.",
        ),
    ] = None,
    timezone: TimezoneOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what each interval would do; run nothing.")
    ] = False,
    rerun: Annotated[
        bool,
        typer.Option(
            "--rerun",
            help="Also intervals that have a successful run; unchanged stages are still reused.",
        ),
    ] = False,
    parallel: Annotated[
        int | None, parallel_option("1; with 'overlap: true', as many as cores")
    ] = None,
    assignments: ParametersOption = None,
    files: FilesOption = None,
    env_file: EnvFileOption = None,
    given: Given,
    metric: MetricsOption = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Run once for each interval of the schedule that has no successful run.

    An interval goes from one time of the schedule to the next. Its run receives the interval's
    START as the parameter 'logical_date', if a notebook declares one. What is done stays done: a
    second backfill runs only what failed, was stopped, or is new. A failed interval does not keep
    the others from running. Intervals that are not over yet are left out.

    \b
    Examples
      mlkit backfill --from 2013-01-01 --to 2013-01-31 --dry-run
      mlkit backfill --from 2013-01-01 --to 2013-12-31 --parallel 2
      mlkit backfill --from 2013-01-01 --to 2013-12-31 --schedule '0 0 1 * *'

    Exit codes: 0 no run failed, 1 a run failed, 2 a mistake found before anything
    ran, 130 interrupted.
    """
    loaded = api.load_pipeline(pipeline_path(pipeline), profile=given.get("profile"))
    chosen = api.read_schedule(loaded, schedule, timezone)
    filling = api.Filling(
        pipeline=loaded,
        layers=layers_of(assignments, files, env_file),
        options=api.run_options(given),
        runs_dir=api.runs_folder(loaded, runs_dir),
        rerun=rerun,
    )
    filling.check()
    plans, unfinished = api.plan_backfill(filling, chosen, api.read_span(first, last, chosen.zone))
    _tell_plan(filling, chosen, plans, unfinished)
    at_once = parallel or (api.default_workers() if loaded.overlap else 1)
    filled = [] if dry_run else _fill_all(filling, plans, at_once)
    _show(filling, chosen, plans, filled, metric=metric, as_json=as_json)
    raise typer.Exit(_exit_code(filled))


def _tell_plan(
    filling: api.Filling, schedule: Schedule, plans: Sequence[Planned], unfinished: int
) -> None:
    count = sum(planned.action == "run" for planned in plans)
    noun = "interval" if len(plans) == 1 else "intervals"
    say(f"{filling.pipeline.name}: {schedule}: {len(plans)} {noun}, {count} to run")
    if unfinished:
        say(f"left out: {unfinished} that is not over yet")
    if count and not takes_logical_date(filling.pipeline):
        say(
            f"warning: no notebook declares '{LOGICAL_DATE}', so every interval's run does the same"
        )


def _fill_all(filling: api.Filling, plans: Sequence[Planned], parallel: int) -> list[api.Filled]:
    """Make the runs, some at once, until all are made or somebody interrupts.

    A stage that waits for its past looks for the run before: that one has begun by then.
    """
    cancellation = Cancellation()
    looks_back = any(stage.depends_on_past for stage in filling.pipeline.stages.values())
    begun = [threading.Event() for _ in plans]
    ended, total = itertools.count(1), sum(planned.action == "run" for planned in plans)
    places = {id(planned): number for number, planned in enumerate(plans, start=1)}

    def one(planned: Planned) -> api.Filled:
        number = places[id(planned)]
        if looks_back and number > 1:
            begun[number - 2].wait()
        mine = begun[number - 1]
        try:
            if cancellation.requested:
                return api.Filled(planned=planned, note="interrupted before it began")
            place = f"[{number} of {len(plans)}]"
            quiet = parallel > 1
            done = _fill_one(filling, planned, place, cancellation, mine.set, quiet=quiet)
            if planned.action == "run":
                so_far = f"; {next(ended)} of {counted(total, 'run')}" if quiet else ""
                say(f"{place} {planned.interval}: {SIGNS[done.status]} {_words(done)}{so_far}")
            return done
        finally:
            mine.set()

    with interruptible(cancellation):
        if parallel == 1:
            return [one(planned) for planned in plans]
        with ThreadPoolExecutor(parallel, "backfill") as pool:
            return list(pool.map(one, plans))


def _fill_one(
    filling: api.Filling,
    planned: Planned,
    place: str,
    cancellation: Cancellation,
    begins: Callable[[], None],
    *,
    quiet: bool,
) -> api.Filled:
    if planned.action == "run":
        say(f"{place} {planned.interval} ({planned.reason})")
    with _services(cancellation, place, quiet=quiet) as services:
        observers = (*services.observers, lambda event: begins())
        return api.fill(filling, planned, replace(services, observers=observers))


@contextlib.contextmanager
def _services(cancellation: Cancellation, place: str, *, quiet: bool) -> Iterator[api.Services]:
    if quiet:
        telling = [api.waits_told(lambda words: say(f"{place} {words}"))]
        with observed_aside() as services:
            observers = (*services.observers, *telling)
            yield replace(services, observers=observers, cancellation=cancellation)
        return
    with observed() as services:
        yield replace(services, cancellation=cancellation)


def _words(done: api.Filled) -> str:
    if done.record is None:
        return f"left out ({done.note})" if done.note else "kept"
    return f"{done.status} in {format_duration(done.record.seconds)}"


def _exit_code(filled: Sequence[api.Filled]) -> int:
    found = {done.status for done in filled}
    if "cancelled" in found or any(done.note.startswith("interrupted") for done in filled):
        return 130
    return 1 if "failed" in found else 0


def _show(
    filling: api.Filling,
    schedule: Schedule,
    plans: Sequence[Planned],
    filled: Sequence[api.Filled],
    *,
    metric: list[str] | None,
    as_json: bool,
) -> None:

    if as_json:
        print_json(
            {
                "pipeline": filling.pipeline.name,
                "schedule": schedule.when.text,
                "timezone": str(schedule.zone),
                "intervals": [done.to_json() for done in filled]
                or [_planned_json(planned) for planned in plans],
            }
        )
    elif plans:
        typer.echo(_filled_table(filling, filled, metric or []) if filled else _plan_table(plans))


def _planned_json(planned: Planned) -> dict[str, Any]:
    return {
        **planned.interval.to_json(),
        "action": planned.action,
        "reason": planned.reason,
        "status": None,
        "run_id": planned.run_id,
        "seconds": None,
    }


def _plan_table(plans: Sequence[Planned]) -> str:
    rows = [[str(p.interval), p.action, p.reason, p.run_id or NOTHING] for p in plans]
    return columns(rows, terminal_width(), head=["INTERVAL", "ACTION", "WHY", "RUN"], whole=(3,))


def _filled_table(
    filling: api.Filling, filled: Sequence[api.Filled], metrics: Sequence[str]
) -> str:
    table = RunTable([_row(filling, done, metrics) for done in filled])
    for sentence in table.unmeasured(metrics):
        say(f"warning: {sentence}")
    shown = [f"metrics.{column.name}" for name in metrics for column in table.metrics(name)]
    return table.to_text(terminal_width(), ["interval", "status", "run", "seconds", *shown])


def _row(filling: api.Filling, done: api.Filled, metrics: Sequence[str]) -> RunRow:
    """An interval with its run, also one that was made earlier: of that the numbers alone."""
    record, interval = done.record, str(done.planned.interval)
    is_kept = done.status == "kept"
    if record is None and metrics and is_kept and done.planned.run_id:
        record = api.find_run(done.planned.run_id, filling.runs_dir)
    if record is None:
        return RunRow(
            run_id=done.planned.run_id or "",
            pipeline=filling.pipeline.name,
            status=RunStatus.SUCCEEDED if is_kept else None,
            said=_words(done),
            interval=interval,
        )
    row = replace(api.row_of(record, api.measured_by(record, metrics)), interval=interval)
    return replace(row, said="kept", ended=None) if is_kept else row
