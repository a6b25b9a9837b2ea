"""The shapes that JSON Schemas of mlkit's documents are put together from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "ANYTHING",
    "BOOLEAN",
    "COUNT",
    "NUMBER",
    "TEXT",
    "TEXTS",
    "Schema",
    "by_name",
    "document",
    "list_of",
    "object_of",
    "one_of",
    "or_null",
]

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
BOOLEAN: Schema = {"type": "boolean"}
ANYTHING: Schema = {"type": "object"}
TEXTS: Schema = {"type": "array", "items": TEXT}


def or_null(shape: Schema) -> Schema:
    """Allow null in place of a shape."""
    return {"anyOf": [shape, {"type": "null"}]}


def one_of(words: Iterable[str]) -> Schema:
    """Allow these words."""
    return {"enum": list(words)}


def list_of(shape: Schema) -> Schema:
    """Allow a list of a shape."""
    return {"type": "array", "items": shape}


def by_name(shape: Schema) -> Schema:
    """Allow an object whose keys are names, each with a value of that shape."""
    return {"type": "object", "additionalProperties": shape}


def object_of(fields: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Ask for these fields; a later version may add others.

    Parameters
    ----------
    fields : mapping of str to Schema
        What is always there.
    optional : mapping of str to Schema, optional
        What may be there.
    """
    return {
        "type": "object",
        "properties": {**fields, **(optional or {})},
        "required": list(fields),
    }


def document(title: str, description: str, *shapes: Schema) -> Schema:
    """Give the schema of a whole document, which has one of these shapes."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    shape = shapes[0] if len(shapes) == 1 else {"anyOf": list(shapes)}
    return {**head, "description": description, **shape}
