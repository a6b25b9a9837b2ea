"""The JSON Schemas that `mlkit schema` prints, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlkit.core.document_schemas import (
    error_schema,
    event_schema,
    kernels_schema,
    plan_schema,
    record_schema,
    run_schema,
    runs_schema,
)
from mlkit.core.pipeline_keys import pipeline_schema

__all__ = ["SCHEMAS", "schema_of"]

SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "pipeline": pipeline_schema,
    "record": record_schema,
    "event": event_schema,
    "run": run_schema,
    "runs": runs_schema,
    "plan": plan_schema,
    "kernels": kernels_schema,
    "error": error_schema,
}
"""Name → what makes the schema of that document."""


def schema_of(name: str) -> dict[str, Any]:
    """Give a schema by its name.

    Parameters
    ----------
    name : str
        One of `SCHEMAS`.
    """
    return SCHEMAS[name]()
