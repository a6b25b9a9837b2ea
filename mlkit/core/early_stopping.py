"""When a run is hopeless: a rule on what it has logged so far, and on what others had by then."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus, Status
from mlkit.frozen import dataclass

__all__ = [
    "FORM",
    "LEAST_OTHERS",
    "STOPPED",
    "Curve",
    "RuleError",
    "StopRule",
    "read_rule",
    "stopped_early",
]

Curve = Sequence[tuple[float, float]]
"""Steps and values, in the order of steps."""

FORM = "'STAGE.METRIC > median after STEP', with < for what is to be great, or a number for median"
"""How a rule is written."""

LEAST_OTHERS = 4
"""The median of fewer runs says nothing of a further one."""

STOPPED = "stopped early"
"""What is said of a run that was stopped as hopeless; its reason begins so."""

_RULE = re.compile(
    r"\s*(?P<metric>.+?)\s*(?P<sign>[<>])\s*(?P<limit>\S+)(?:\s+after\s+(?P<after>\S+))?\s*"
)


class RuleError(ValueError):
    """What is written as a rule is none."""


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """A run is stopped if a metric is worse than a limit.

    Parameters
    ----------
    metric : str
        `STAGE.NAME` or `NAME`, as `mlkit.log_metric` calls it.
    above : bool
        Whether above the limit is worse; otherwise below.
    limit : float, optional
        The limit; None: the median of what the other runs had at the same step.
    after : float
        Only from this step on.
    """

    metric: str
    above: bool
    limit: float | None = None
    after: float = 0.0

    def judge(self, own: Curve, others: Sequence[Curve]) -> str | None:
        """Say why a run is to be stopped; None if it is to go on. Pure.

        Its best value so far counts, so that one bad step stops nobody.

        Parameters
        ----------
        own : sequence of (float, float)
            What the run has logged.
        others : sequence of such
            What others have, those too that were stopped; of these count those that came as far.
        """
        step = own[-1][0] if own else -math.inf
        if self.limit is None:  # where enough others are; it may have gone on beyond their ends
            ends = sorted((curve[-1][0] for curve in others if curve), reverse=True)
            step = min(step, ends[LEAST_OTHERS - 1]) if len(ends) >= LEAST_OTHERS else -math.inf
        until = [value for at, value in own if at <= step]
        if not until or step < self.after:
            return None
        best = (min if self.above else max)(until)
        limit, of = self.limit, ""
        if limit is None:
            there = [_value_at(curve, step) for curve in others if curve and curve[-1][0] >= step]
            values = [value for value in there if value is not None]
            if len(values) < LEAST_OTHERS:
                return None
            from statistics import median  # with what it needs it takes 3 ms, here only

            limit, of = median(values), f"the median of {len(values)} runs, "
        is_worse = best > limit if self.above else best < limit
        if not is_worse:
            return None
        word = "above" if self.above else "below"
        return f"{STOPPED}: {self.metric} {best:g} at step {step:g} is {word} {of}{limit:g}"


def _value_at(curve: Curve, step: float) -> float | None:
    """What stood there at a step: the last value until then."""
    until = [value for at, value in curve if at <= step]
    return until[-1] if until else None


def read_rule(text: str) -> StopRule:
    """Read a rule: `train.loss > median after 5`, `train.accuracy < 0.6 after 10`.

    Raises
    ------
    RuleError
        If it is none; the message says why.
    """
    found = _RULE.fullmatch(text)
    if found is None:
        raise RuleError(f"'{text.strip()}' is no rule")
    limit = None if found["limit"] == "median" else _number(found["limit"], "the limit")
    after = 0.0 if found["after"] is None else _number(found["after"], "the step")
    return StopRule(metric=found["metric"], above=found["sign"] == ">", limit=limit, after=after)


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise RuleError(f"{what} is no number: '{text}'") from None
    if not math.isfinite(number):
        raise RuleError(f"{what} is {text}")
    return number


def stopped_early(record: RunRecord) -> str:
    """Why a run was stopped as hopeless; empty if it was not."""
    if record.status is not RunStatus.CANCELLED:
        return ""
    reasons = (s.reason for s in record.stages.values() if s.status is Status.CANCELLED)
    return next((reason for reason in reasons if reason.startswith(STOPPED)), "")
