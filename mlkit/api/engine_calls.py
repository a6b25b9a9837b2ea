"""What a task's call of mlkit is given by the engine, beside its command line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from mlkit.api.records import find_run
from mlkit.core.every import parse_when
from mlkit.core.intervals import Schedule, in_zone, last_interval
from mlkit.core.logical_date import LOGICAL_DATE, takes_logical_date
from mlkit.core.pipeline import Pipeline
from mlkit.core.values import decode
from mlkit.errors import UnknownRunError
from mlkit.load.merging import is_secret, types_of
from mlkit.load.parameters import Layers, parse_assignment
from mlkit.load.schedule import find_zone

__all__ = ["INTERVAL", "SCHEDULED", "begun_with", "scheduled_values"]

INTERVAL = "MLKIT_ENGINE_INTERVAL"
"""The start of the interval that the engine has the run for, in ISO 8601, on any clock."""

SCHEDULED = "MLKIT_ENGINE_SCHEDULED"
"""The time at which the engine's own schedule has started the run, in ISO 8601."""


def begun_with(pipeline: Pipeline, run_id: str, runs_dir: Path | str) -> dict[str, Any]:
    """Give what a run was given by the call that began it: a later call need not say it again.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline; what it no longer knows is left out, and so are secrets, which no record has.
    run_id : str
        The run.
    runs_dir : Path or str
        The runs folder.

    Returns
    -------
    dict of str to object
        Empty if there is no such run yet.
    """
    try:
        record = find_run(run_id, runs_dir)
    except UnknownRunError:
        return {}
    given = decode(record.options.get("overrides", {})) if record.run_id == run_id else {}
    return {
        name: value
        for name, value in given.items()
        if (name in pipeline.parameters or types_of(pipeline, name))
        and not is_secret(pipeline, name)
    }


def scheduled_values(pipeline: Pipeline, layers: Layers) -> dict[str, Any]:
    """Give `logical_date`, the start of the run's interval, as the schedule's own clock shows it.

    An engine says when it starts, or else when the run was due: at the interval's end. Which clock
    the engine counts by (Airflow's is UTC's) does not matter, not even to a stage that asks for the
    date alone.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline; its schedule counts in its own time zone.
    layers : Layers
        The environment of the task's call, and its command line, which wins.

    Returns
    -------
    dict of str to object
        Empty if the engine names no time, no stage declares the parameter, or it is given by hand.
    """
    start, due = layers.environ.get(INTERVAL), layers.environ.get(SCHEDULED)
    if not (start or due) or pipeline.schedule is None or not takes_logical_date(pipeline):
        return {}
    if any(parse_assignment(text).name == LOGICAL_DATE for text in layers.assignments):
        return {}
    zone = find_zone(pipeline.timezone)
    if start:
        return {LOGICAL_DATE: in_zone(dt.datetime.fromisoformat(start), zone).isoformat()}
    schedule = Schedule(when=parse_when(pipeline.schedule), zone=zone)
    interval = last_interval(schedule, dt.datetime.fromisoformat(due or ""))
    return {LOGICAL_DATE: interval.start.isoformat()}
