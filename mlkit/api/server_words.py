"""What a schedule server says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from mlkit.core.backfilling import MOST_INTERVALS
from mlkit.core.intervals import Interval, Schedule, next_tick
from mlkit.errors import MlkitError

__all__ = ["greeting", "left_out", "moment", "sentence"]

_SHOWN = 3


def greeting(name: str, schedule: Schedule, now: dt.datetime) -> str:
    """The schedule and its next times."""
    lines = [f"{name} runs on the schedule {schedule}. Next runs:"]
    due = now
    for _ in range(_SHOWN):
        due = next_tick(schedule, due)
        lines.append(f"  {moment(due, now)}")
    return "\n".join(lines)


def left_out(missed: Sequence[Interval], pipeline: str) -> str:
    """How many intervals of a pipeline (a path) have no run, and what makes them up."""
    many = f"{len(missed)}{'+' if len(missed) == MOST_INTERVALS else ''}"
    first, last = missed[0].start.date(), missed[-1].start.date()
    have = "interval has" if len(missed) == 1 else "intervals have"
    return (
        f"{many} earlier {have} no run; make up for it with --catch-up, or "
        f"'mlkit backfill {pipeline} --from {first} --to {last}'"
    )


def sentence(error: MlkitError) -> str:
    """An error in one line, and the others that were found with it in one each."""
    lines = [" ".join(str(each).splitlines()) for each in (error, *error.others)]
    return "\n".join(f"{line.rstrip('.')}." for line in lines)


def moment(due: dt.datetime, now: dt.datetime) -> str:
    """A moment, and how far away it is."""
    minutes = round((due - now).total_seconds() / 60)
    parts = [(minutes // 1440, "d"), (minutes % 1440 // 60, "h"), (minutes % 60, "min")]
    far = " ".join(f"{number} {unit}" for number, unit in parts if number) or "less than 1 min"
    return f"{due:%a %Y-%m-%d %H:%M %z} (in {far})"
