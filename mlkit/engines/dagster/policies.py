"""Schedules, retries and machines in Dagster's words, and what it cannot keep. Pure."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from typing import Any

from mlkit.core.every import Every, parse_when
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.engines.refusals import Refusal

__all__ = ["cron_strings", "machine", "schedule_refusals"]

_DAY = dt.timedelta(days=1)


def cron_strings(pipeline: Pipeline) -> tuple[list[str], str]:
    """The cron expressions of a schedule, and the zone whose clock they follow.

    A span is counted in real time from the zone's 1970 on; if it divides a day, its times are the
    same each day in UTC.
    """
    assert pipeline.schedule is not None
    when = parse_when(pipeline.schedule)
    if not isinstance(when, Every):
        return [pipeline.schedule], pipeline.timezone
    start = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)
    hours: dict[int, list[int]] = {}
    for moment in when.ticks(zoneinfo.ZoneInfo(pipeline.timezone), start, start + _DAY):
        hours.setdefault(moment.minute, []).append(moment.hour)
    times = [(minute, _field(of)) for minute, of in hours.items()]
    minutes: dict[str, list[int]] = {}
    for minute, hour in times:
        minutes.setdefault(hour, []).append(minute)
    return [f"{','.join(map(str, of))} {hour} * * *" for hour, of in minutes.items()], "UTC"


def _field(hours: list[int]) -> str:
    return "*" if len(hours) == 24 else ",".join(map(str, sorted(hours)))


def schedule_refusals(pipeline: Pipeline, *, dated: bool) -> Iterator[Refusal]:
    """Name the schedules that no cron expressions of Dagster say exactly.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    dated : bool
        Whether stages ask for the start of their interval.
    """
    if pipeline.schedule is None:
        return
    remedy = "Keep that schedule by 'mlkit serve', or write cron"
    when = parse_when(pipeline.schedule)
    if isinstance(when, Every) and (_DAY % when.period or when.period.total_seconds() % 60):
        fact = f"its schedule '{pipeline.schedule}' does not come at the same times each day"
        yield Refusal(stage=None, fact=fact, remedy=remedy)
    elif dated and len(cron_strings(pipeline)[0]) > 1:
        fact = f"its schedule '{pipeline.schedule}' takes several cron expressions, and the "
        fact += "intervals that 'logical_date' tells are those of one"
        yield Refusal(stage=None, fact=fact, remedy=remedy)


def machine(stage: Stage) -> dict[str, Any]:
    """What a stage asks of the machine that it runs on, for executors on Kubernetes."""
    wanted = stage.resources
    requests = {k: v for k, v in (("cpu", wanted.cpu), ("memory", wanted.memory)) if v is not None}
    resources: dict[str, Any] = {"requests": requests} if requests else {}
    if wanted.gpu:
        resources["limits"] = {"nvidia.com/gpu": str(wanted.gpu)}
    container: dict[str, Any] = {} if stage.image is None else {"image": stage.image}
    container |= {"resources": resources} if resources else {}
    found: dict[str, Any] = {"container_config": container} if container else {}
    if wanted.node_selector:
        found["pod_spec_config"] = {"node_selector": dict(wanted.node_selector)}
    return found
