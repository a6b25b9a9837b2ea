"""The JSON Schemas that `mlkit schema` prints, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mlkit.core.classroom_schemas import CLASSROOM_COMMANDS
from mlkit.core.command_schemas import PIPELINE_COMMANDS
from mlkit.core.document_schemas import error_schema, event_schema, record_schema
from mlkit.core.pipeline_keys import pipeline_schema
from mlkit.core.schema_shapes import document

__all__ = ["SCHEMAS", "name_of", "schema_of"]

_COMMANDS = {**PIPELINE_COMMANDS, **CLASSROOM_COMMANDS}


def name_of(command: str) -> str:
    """Give the name of the schema of what a command prints with `--json`.

    Parameters
    ----------
    command : str
        Its words, such as `class stats`.
    """
    return command.replace(" ", "-")


def _of_command(words: str) -> dict[str, Any]:
    says, shapes = _COMMANDS[words]
    return document(f"What mlkit {words} --json prints", says, *shapes)


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "pipeline": pipeline_schema,
    "record": record_schema,
    "event": event_schema,
    "error": error_schema,
    **{name_of(words): partial(_of_command, words) for words in _COMMANDS},
}
"""Name → what makes the schema of that document; each command has one."""


def schema_of(name: str) -> dict[str, Any]:
    """Give a schema by its name.

    Parameters
    ----------
    name : str
        One of `SCHEMAS`.
    """
    return SCHEMAS[name]()
