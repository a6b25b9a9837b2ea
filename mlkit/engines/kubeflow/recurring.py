"""The settings of a recurring run, from a pipeline's cron expression. Pure."""

from __future__ import annotations

import re
from typing import Any

from mlkit.core.pipeline import Pipeline
from mlkit.engines.kubeflow.names import kfp_name

__all__ = ["cron_with_seconds", "recurring_run"]

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def cron_with_seconds(expression: str) -> str:
    """Turn a cron expression of five fields into the six that Kubeflow Pipelines reads.

    The first of them are the seconds. Sunday is 0 there, never 7.
    """
    fields = _ALIASES.get(expression.strip(), expression).split()
    return " ".join(["0", *fields[:4], _weekdays(fields[4])])


def _weekdays(field: str) -> str:
    return ",".join(_part(part) for part in field.split(","))


def _part(part: str) -> str:
    days, slash, step = part.partition("/")
    if days == "7":
        days = "0"
    elif (found := re.fullmatch(r"(\w+)-7", days)) is not None:
        first = found[1]
        if first == "7":
            return "0"
        every = int(step or 1)
        start = (
            int(first)
            if first.isdigit()
            else (["sun", "mon", "tue", "wed", "thu", "fri", "sat"]).index(first.lower())
        )
        return ",".join(str(day % 7) for day in range(start, 8, every))
    return f"{days}{slash}{step}"


def recurring_run(pipeline: Pipeline, package: str) -> dict[str, Any]:
    """What `kfp.Client.create_recurring_run` is called with, beside the experiment.

    Parameters
    ----------
    pipeline : Pipeline
        One with a schedule.
    package : str
        The compiled file.
    """
    assert pipeline.schedule is not None
    return {
        "job_name": kfp_name(pipeline.name),
        "cron_expression": cron_with_seconds(pipeline.schedule),
        "pipeline_package_path": package,
        "max_concurrency": 1,
        "no_catchup": True,
        "enable_caching": False,
    }
