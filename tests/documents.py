"""Hold a document that was really printed against its schema, to the last field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jsonschema import Draft202012Validator

from mlkit.cli.main import COMMANDS
from mlkit.core.schemas import SCHEMAS, name_of, schema_of

__all__ = ["check_document", "check_printed", "closed"]


def closed(schema: Any) -> Any:
    """A schema that allows no field which it does not name: a reader could not know of it."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "allOf" in schema:  # the fields stand in several places
        kinds = [
            {**kind, "then": {**kind["then"], "properties": closed(kind["then"]["properties"])}}
            for kind in schema["allOf"]
        ]
        return {**schema, "allOf": kinds, "unevaluatedProperties": False}
    inner = {key: closed(value) for key, value in schema.items()}
    return {"additionalProperties": False, **inner} if "required" in schema else inner


def check_document(name: str, document: Any) -> None:
    """See that a document is what its schema says, and that the schema names all that is in it.

    Parameters
    ----------
    name : str
        The schema's name, or the command's words.
    document : object
        What was written or printed.
    """
    name = name_of(name)
    # what a schema may hold is JSON Schema's own affair
    schema = schema_of(name) if name in ("schema", "pipeline") else closed(schema_of(name))
    Draft202012Validator(schema).validate(document)


def check_printed(words: Sequence[object], document: Any) -> None:
    """See that what a call with `--json` printed is what the command's schema says.

    Parameters
    ----------
    words : sequence of str
        The call.
    document : object
        What it printed.
    """
    if isinstance(document, dict) and set(document) == {"error"}:
        return check_document("error", document)
    texts = [str(word) for word in words]
    command = next(i for i, word in enumerate(texts) if word in COMMANDS)
    pair = name_of(" ".join(texts[command : command + 2]))
    return check_document(pair if pair in SCHEMAS else texts[command], document)
