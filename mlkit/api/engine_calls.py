"""What a task's call of mlkit is given by the engine, beside its command line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlkit.api.records import find_run
from mlkit.core.every import parse_when
from mlkit.core.intervals import Schedule, last_interval
from mlkit.core.logical_date import LOGICAL_DATE, takes_logical_date
from mlkit.core.pipeline import Pipeline
from mlkit.core.values import decode
from mlkit.errors import UnknownRunError
from mlkit.load.merging import is_secret, types_of
from mlkit.load.schedule import find_zone

__all__ = ["SCHEDULED", "begun_with", "scheduled_values"]

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


def scheduled_values(pipeline: Pipeline, environ: Mapping[str, str]) -> dict[str, Any]:
    """Give `logical_date`, the start of the interval that ended when the schedule started the run.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline; its schedule counts in its own time zone.
    environ : mapping of str to str
        The environment of the task's call.

    Returns
    -------
    dict of str to object
        Empty if the engine names no time, or no stage declares the parameter.
    """
    moment = environ.get(SCHEDULED)
    if not moment or pipeline.schedule is None or not takes_logical_date(pipeline):
        return {}
    schedule = Schedule(when=parse_when(pipeline.schedule), zone=find_zone(pipeline.timezone))
    interval = last_interval(schedule, dt.datetime.fromisoformat(moment))
    return {LOGICAL_DATE: interval.start.isoformat()}
