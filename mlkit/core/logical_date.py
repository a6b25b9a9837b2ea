"""The declared parameter `logical_date`: it receives the start of the scheduled interval."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mlkit.core.pipeline import Pipeline
from mlkit.core.types import TypeSpec, accepts

__all__ = ["LOGICAL_DATE", "as_declared", "takes_logical_date"]

LOGICAL_DATE = "logical_date"


def takes_logical_date(pipeline: Pipeline) -> bool:
    """Whether a stage declares the parameter."""
    return any(LOGICAL_DATE in stage.configurable for stage in pipeline.stages.values())


def as_declared(value: Any, spec: TypeSpec) -> Any:
    """Bring a moment to the type that a notebook declares for `logical_date`.

    Parameters
    ----------
    value : object
        An ISO 8601 text such as `2013-01-01T00:00:00+00:00`, as schedules and engines hand it over.
    spec : TypeSpec
        What the notebook declares.

    Returns
    -------
    object
        The date of that moment where a date is declared and no datetime; otherwise the value.
    """
    if not isinstance(value, str) or accepts(spec, value) or spec.find("date") is None:
        return value
    try:
        return dt.datetime.fromisoformat(value).date()
    except ValueError:
        return value
