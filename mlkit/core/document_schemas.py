"""JSON Schemas of what mlkit writes: run.json, events, and what `--json` prints.

They say what is always there. Later versions may add fields, which a reader passes over; so none
of them is closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlkit.core.events import EventKind
from mlkit.core.states import RunStatus, Status

__all__ = [
    "error_schema",
    "event_schema",
    "kernels_schema",
    "plan_schema",
    "record_schema",
    "run_schema",
    "runs_schema",
]

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
BOOLEAN: Schema = {"type": "boolean"}
ANYTHING: Schema = {"type": "object"}
TEXTS: Schema = {"type": "array", "items": TEXT}
STATUS: Schema = {"enum": [status.value for status in Status]}
RUN_STATUS: Schema = {"enum": [status.value for status in RunStatus]}


def _or_null(shape: Schema) -> Schema:
    return {"anyOf": [shape, {"type": "null"}]}


def _object(fields: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**fields, **(optional or {})},
        "required": list(fields),
    }


def _document(title: str, description: str, shape: Schema) -> Schema:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return {**head, "description": description, **shape}


def _by_name(shape: Schema) -> Schema:
    return {"type": "object", "additionalProperties": shape}


SHORT_ERROR = _object({"type": TEXT, "message": TEXT}, {"retryable": BOOLEAN})
FULL_ERROR = _object(
    {
        "type": TEXT,
        "message": TEXT,
        "bases": TEXTS,
        "cell": _or_null(COUNT),
        "traceback": TEXT,
    },
    {"place": TEXT},
)
OUTPUTS = _by_name({"type": ["string", "null"]})
SUMMARY: dict[str, Schema] = {
    "status": STATUS,
    "attempts": COUNT,
    "seconds": NUMBER,
    "outputs": OUTPUTS,
    "error": _or_null(SHORT_ERROR),
    "reason": TEXT,
}
RUN: dict[str, Schema] = {
    "run_id": TEXT,
    "pipeline": TEXT,
    "status": RUN_STATUS,
    "seconds": NUMBER,
    "parameters": ANYTHING,
}
ATTEMPT = _object(
    {
        "number": {"type": "integer", "minimum": 1},
        "status": STATUS,
        "started": NUMBER,
        "ended": NUMBER,
        "error": _or_null(FULL_ERROR),
        "delay_s": NUMBER,
        "cpu_s": _or_null(NUMBER),
        "peak_memory_bytes": _or_null(COUNT),
    }
)
STAGE = _object(
    {
        **SUMMARY,
        "error": _or_null(FULL_ERROR),
        "stage": TEXT,
        "started": _or_null(NUMBER),
        "ended": _or_null(NUMBER),
        "critical": BOOLEAN,
        "history": {"type": "array", "items": ATTEMPT},
        "artifacts": _by_name(_object({"path": TEXT, "digest": TEXT, "size_bytes": COUNT})),
        "absent": TEXTS,
        "parameters": ANYTHING,
        "inputs": ANYTHING,
        "source_run": _or_null(TEXT),
        "engine_task": _or_null(TEXT),
    }
)


KEPT = {
    "type": "array",
    "items": _object(
        {
            "id": TEXT,
            "run_id": TEXT,
            "runs_dir": TEXT,
            "pipeline": TEXT,
            "file": TEXT,
            "stage": TEXT,
            "attempt": {"type": "integer", "minimum": 1},
            "error": TEXT,
            "cell": _or_null(COUNT),
            "began": NUMBER,
            "until": NUMBER,
            "memory_bytes": COUNT,
            "pid": COUNT,
        }
    ),
}


def kernels_schema() -> Schema:
    """Give the schema of what `mlkit kernels --json` prints."""
    zygote = _object({"pid": COUNT, "driver": COUNT, "kernels": COUNT, "memory_bytes": COUNT})
    return _document(
        "What mlkit kernels --json prints",
        "The kernels of this user that are kept where a stage failed, the oldest first, until when "
        "(seconds since 1970), and the processes that fork kernels now. `kernels stop` prints "
        "those that it has ended, under `stopped`.",
        _object({"kept": KEPT, "zygotes": {"type": "array", "items": zygote}}),
    )


def run_schema() -> Schema:
    """Give the schema of what `mlkit run --json` prints."""
    return _document(
        "What mlkit run --json prints",
        "Also `resume`. Stages that were not selected are absent; of a mapped stage each "
        "instance has an entry.",
        _object({**RUN, "stages": _by_name(_object(SUMMARY))}, {"kept_kernels": KEPT}),
    )


def record_schema() -> Schema:
    """Give the schema of run.json."""
    return _document(
        "run.json",
        "The whole record of a run. A value that JSON lacks is an object with one key, such as "
        '`{"$date": "2013-01-01"}`.',
        _object(
            {
                "format": {"type": "integer", "minimum": 1},
                **RUN,
                "file": TEXT,
                "runs_dir": TEXT,
                "started": NUMBER,
                "ended": _or_null(NUMBER),
                "complete": BOOLEAN,
                "engine": _or_null(_by_name(TEXT)),
                "options": ANYTHING,
                "edges": _by_name(TEXTS),
                "warnings": TEXTS,
                "stages": _by_name(STAGE),
            }
        ),
    )


def runs_schema() -> Schema:
    """Give the schema of what `mlkit runs --json` prints."""
    one = _object({**RUN, "started": NUMBER, "ended": _or_null(NUMBER)})
    return _document(
        "What mlkit runs --json prints",
        "Runs, the newest first.",
        _object({"runs_dir": TEXT, "runs": {"type": "array", "items": one}, "kept_kernels": KEPT}),
    )


def plan_schema() -> Schema:
    """Give the schema of what `mlkit plan --json` prints."""
    stage = _object({"action": {"enum": ["run", "reuse", "unknown"]}, "reasons": TEXTS})
    return _document(
        "What mlkit plan --json prints",
        "What a run would do with each stage or instance, and why.",
        _object({"stages": _by_name(stage)}),
    )


def error_schema() -> Schema:
    """Give the schema of what any command prints with --json where it is given a mistake."""
    error = _object(
        {
            "message": TEXT,
            "file": _or_null(TEXT),
            "line": _or_null(COUNT),
            "remedy": _or_null(TEXT),
            "code": _or_null({"type": "string", "pattern": r"^E\d{3}$"}),
        }
    )
    return _document(
        "An error, as --json prints it",
        "The fact, the place and the remedy; `mlkit explain CODE` tells more of the code.",
        _object({"error": error}),
    )


_EVENT_ERROR = _or_null(_object({"type": TEXT, "message": TEXT}, {"cell": _or_null(COUNT)}))
_STARTED: dict[str, Schema] = {
    "pipeline": TEXT,
    "file": TEXT,
    "parameters": ANYTHING,
    "stages": TEXTS,
    "workers": COUNT,
    "start": TEXT,
}
_FIELDS: dict[EventKind, dict[str, Schema]] = {
    EventKind.RUN_STARTED: _STARTED,
    EventKind.RUN_RESUMED: _STARTED,
    EventKind.RUN_FINISHED: {"status": RUN_STATUS, "seconds": NUMBER, "counts": _by_name(COUNT)},
    EventKind.STAGE_WAITING: {"stage": TEXT, "for": TEXT},
    EventKind.STAGE_MAPPED: {"stage": TEXT, "instances": TEXTS},
    EventKind.STAGE_FINISHED: {
        "stage": TEXT,
        "status": STATUS,
        "reason": TEXT,
        "seconds": NUMBER,
        "attempts": COUNT,
        "outputs": OUTPUTS,
        "error": _EVENT_ERROR,
    },
    EventKind.ATTEMPT_STARTED: {"stage": TEXT, "attempt": COUNT, "cells": COUNT, "reason": TEXT},
    EventKind.CELL_STARTED: {"stage": TEXT, "attempt": COUNT, "cell": COUNT, "cells": COUNT},
    EventKind.ATTEMPT_FINISHED: {
        "stage": TEXT,
        "attempt": COUNT,
        "status": STATUS,
        "seconds": NUMBER,
        "error": _EVENT_ERROR,
        "cpu_s": _or_null(NUMBER),
        "peak_memory_bytes": _or_null(COUNT),
    },
    EventKind.RETRY_SCHEDULED: {
        "stage": TEXT,
        "attempt": COUNT,
        "delay_s": NUMBER,
        "next_attempt": COUNT,
        "error": _EVENT_ERROR,
    },
    EventKind.WARNING: {"message": TEXT},
    EventKind.NOTIFIED: {"url_scheme": TEXT, "ok": BOOLEAN, "message": TEXT},
}


def event_schema() -> Schema:
    """Give the schema of a line of events.jsonl."""
    every = _object({"event": TEXT, "time": NUMBER, "run_id": TEXT})
    kinds = [
        {
            "if": {"properties": {"event": {"const": kind.value}}},
            "then": _object(_FIELDS.get(kind, {})),
        }
        for kind in EventKind
    ]
    return _document(
        "A line of events.jsonl",
        "One event of a run. A reader passes over kinds and fields that it does not know.",
        {**every, "allOf": kinds},
    )
