"""`mlkit serve`: run on the pipeline's schedule."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.cli.run_display import observed
from mlkit.cli.run_options import Given, layers_of, takes_run_options
from mlkit.cli.shared_options import (
    EnvFileOption,
    FilesOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunsDirOption,
    TimezoneOption,
)
from mlkit.cli.which_pipeline import pipeline_path

__all__ = ["serve"]


@takes_run_options
def serve(
    pipeline: PipelineArgument = None,
    *,
    timezone: TimezoneOption = None,
    catch_up: Annotated[
        bool,
        typer.Option(
            "--catch-up",
            help="Also run the intervals missed since the last one that was run, oldest first.",
        ),
    ] = False,
    stop_after: Annotated[
        int | None,
        typer.Option("--stop-after", min=1, metavar="RUNS", help="End after this many runs."),
    ] = None,
    assignments: ParametersOption = None,
    files: FilesOption = None,
    env_file: EnvFileOption = None,
    given: Given,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Run on the pipeline's schedule, until Ctrl-C or SIGTERM.

    At each time the interval that has just ended is run; its START is the parameter 'logical_date'.
    One run at a time, except in a pipeline with 'overlap': a time that comes while a run goes
    on is left out, and several that were missed, say while the machine slept, count as one.
    --catch-up makes up what was left out. pipeline.yaml is read again before each run; a broken
    edit is reported and serving goes on, as it does after a run that failed.

    A cron expression means what it means to cron: 0 and 7 are Sunday, and where both kinds of day
    are named, one is enough.

    \b
    Examples
      mlkit serve                             the file's schedule and timezone
      mlkit serve --timezone Europe/Berlin    on Berlin's clock, summer time too
      mlkit serve -p rows=5000 --catch-up     with a parameter; nothing is missed

    Exit codes: 0 stopped while no run was going on, 130 a run was interrupted, 2 a mistake found
    before the first run. With --json one document at the end lists the runs.
    """
    settings = api.Settings(
        path=Path(pipeline_path(pipeline)),
        layers=layers_of(assignments, files, env_file),
        options=api.run_options(given),
        runs_dir=runs_dir,
        timezone=timezone,
        catch_up=catch_up,
        stop_after=stop_after,
    )
    server = api.ScheduleServer(settings, _say, observed)
    server.serve()
    _end(server, as_json=as_json)


def _say(text: str) -> None:
    """Tell people something, with the time."""
    say(f"[{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S}Z] {text}")


def _end(server: api.ScheduleServer, *, as_json: bool) -> None:

    made = [done for done in server.filled if done.record is not None]
    counts = {done.status: 0 for done in made}
    for done in made:
        counts[done.status] += 1
    told = ", ".join(f"{number} {status}" for status, number in counts.items()) or "none"
    _say(f"stopped; runs made: {told}")
    if as_json:
        print_json(
            {
                "pipeline": server.filling.pipeline.name,
                "schedule": server.schedule.when.text,
                "timezone": str(server.schedule.zone),
                "intervals": [done.to_json() for done in server.filled],
            }
        )
    raise typer.Exit(130 if server.interrupted else 0)
