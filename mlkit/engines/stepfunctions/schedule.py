"""The schedule of a pipeline, as EventBridge Scheduler takes it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from mlkit.core.cron import Cron, parse_cron
from mlkit.core.pipeline import Pipeline
from mlkit.engines.refusals import Refusal

__all__ = ["aws_cron", "schedule_refusals", "schedule_text"]

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def aws_cron(cron: Cron) -> str | None:
    """Write a cron expression in the six fields of AWS: years come last, and of days one is `?`.

    None if it names days of the month and of the week, of which AWS takes one kind only. Numbers
    are listed: AWS reads steps otherwise, and counts the days of the week from 1.
    """
    every_day, every_weekday = len(cron.days) == 31, len(cron.weekdays) == len(_DAYS)
    if not every_day and not every_weekday:
        return None
    fields = [_listed(cron.minutes, 60), _listed(cron.hours, 24)]
    fields.append(_listed(cron.days, 31) if every_weekday else "?")
    fields.append(_listed(cron.months, 12))
    fields.append("?" if every_weekday else ",".join(_DAYS[n] for n in sorted(cron.weekdays)))
    return f"cron({' '.join([*fields, '*'])})"


def _listed(numbers: Iterable[int], how_many: int) -> str:
    found = sorted(numbers)
    return "*" if len(found) == how_many else ",".join(map(str, found))


def schedule_refusals(pipeline: Pipeline) -> Iterator[Refusal]:
    """Name a schedule that AWS does not take."""
    if pipeline.schedule is None:
        return
    if pipeline.schedule.lower().startswith("every"):
        yield Refusal(
            stage=None,
            fact=f"its schedule '{pipeline.schedule}' is no cron expression",
            remedy="Keep that schedule by 'mlkit serve', or write cron",
        )
    elif aws_cron(parse_cron(pipeline.schedule)) is None:
        yield Refusal(
            stage=None,
            fact=f"its schedule '{pipeline.schedule}' names days of the month and of the week, and "
            "EventBridge Scheduler takes one kind only",
            remedy="Name one kind of day, or keep that schedule by 'mlkit serve'",
        )


def schedule_text(pipeline: Pipeline, name: str, machine: str, role: str) -> str:
    """Write the input of `aws scheduler create-schedule`.

    Parameters
    ----------
    pipeline : Pipeline
        A pipeline with a schedule.
    name : str
        The schedule's name.
    machine : str
        The ARN of the state machine.
    role : str
        The ARN of the role as which the scheduler starts it.
    """
    assert pipeline.schedule is not None
    document = {
        "Name": name,
        "ScheduleExpression": aws_cron(parse_cron(pipeline.schedule)),
        "ScheduleExpressionTimezone": pipeline.timezone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": machine,
            "RoleArn": role,
            "Input": json.dumps({"scheduled_at": "<aws.scheduler.scheduled-time>"}),
            "RetryPolicy": {"MaximumRetryAttempts": 0},
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
