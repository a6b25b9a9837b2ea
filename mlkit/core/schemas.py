"""The JSON Schemas that `mlkit schema` prints, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlkit.core.pipeline_keys import pipeline_schema

__all__ = ["SCHEMAS", "schema_of"]

SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {"pipeline": pipeline_schema}
"""Name → what makes the schema of that document."""


def schema_of(name: str) -> dict[str, Any]:
    """Give a schema by its name.

    Parameters
    ----------
    name : str
        One of `SCHEMAS`.
    """
    return SCHEMAS[name]()
