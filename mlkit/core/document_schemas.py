"""JSON Schemas of what runs write, run.json and events, and of the mistakes that `--json` prints.

They say what is always there. Later versions may add fields, which a reader passes over; so none
of them is closed.
"""

from __future__ import annotations

from mlkit.core.events import EventKind
from mlkit.core.schema_shapes import (
    ANYTHING,
    BOOLEAN,
    COUNT,
    NUMBER,
    TEXT,
    TEXTS,
    Schema,
    by_name,
    document,
    list_of,
    object_of,
    or_null,
)
from mlkit.core.states import RunStatus, Status

__all__ = [
    "RECORD",
    "RESUMED",
    "RUN",
    "RUN_STATUS",
    "SHORT_ERROR",
    "STAGE",
    "SUMMARY",
    "error_schema",
    "event_schema",
    "record_schema",
]

STATUS: Schema = {"enum": [status.value for status in Status]}
RUN_STATUS: Schema = {"enum": [status.value for status in RunStatus]}

SHORT_ERROR = object_of({"type": TEXT, "message": TEXT}, {"retryable": BOOLEAN})
FULL_ERROR = object_of(
    {
        "type": TEXT,
        "message": TEXT,
        "bases": TEXTS,
        "cell": or_null(COUNT),
        "traceback": TEXT,
    },
    {"place": TEXT},
)
OUTPUTS = by_name({"type": ["string", "null"]})
SUMMARY: dict[str, Schema] = {
    "status": STATUS,
    "attempts": COUNT,
    "seconds": NUMBER,
    "outputs": OUTPUTS,
    "error": or_null(SHORT_ERROR),
    "reason": TEXT,
}
RUN: dict[str, Schema] = {
    "run_id": TEXT,
    "pipeline": TEXT,
    "status": RUN_STATUS,
    "seconds": NUMBER,
    "parameters": ANYTHING,
}
ATTEMPT = object_of(
    {
        "number": {"type": "integer", "minimum": 1},
        "status": STATUS,
        "started": NUMBER,
        "ended": NUMBER,
        "error": or_null(FULL_ERROR),
        "delay_s": NUMBER,
        "cpu_s": or_null(NUMBER),
        "peak_memory_bytes": or_null(COUNT),
    }
)
STAGE = object_of(
    {
        **SUMMARY,
        "error": or_null(FULL_ERROR),
        "stage": TEXT,
        "started": or_null(NUMBER),
        "ended": or_null(NUMBER),
        "critical": BOOLEAN,
        "history": list_of(ATTEMPT),
        "artifacts": by_name(object_of({"path": TEXT, "digest": TEXT, "size_bytes": COUNT})),
        "absent": TEXTS,
        "parameters": ANYTHING,
        "inputs": ANYTHING,
        "source_run": or_null(TEXT),
        "engine_task": or_null(TEXT),
    },
    {"metrics": by_name(NUMBER), "curves": by_name(list_of(list_of(NUMBER)))},
)
RECORD: dict[str, Schema] = {
    **RUN,
    "file": TEXT,
    "runs_dir": TEXT,
    "started": NUMBER,
    "ended": or_null(NUMBER),
    "complete": BOOLEAN,
    "engine": or_null(by_name(TEXT)),
    "options": ANYTHING,
    "edges": by_name(TEXTS),
    "warnings": TEXTS,
    "stages": by_name(STAGE),
}
"""What of a run stands in run.json and in the document of `show`."""
RESUMED: dict[str, Schema] = {"idle_s": NUMBER}
"""What stands there, too, if the run was resumed."""


def record_schema() -> Schema:
    """Give the schema of run.json."""
    return document(
        "run.json",
        "The whole record of a run. A value that JSON lacks is an object with one key, such as "
        '`{"$date": "2013-01-01"}`.',
        object_of({"format": {"type": "integer", "minimum": 1}, **RECORD}, RESUMED),
    )


def error_schema() -> Schema:
    """Give the schema of what any command prints with --json where it is given a mistake."""
    parts: dict[str, Schema] = {
        "message": TEXT,
        "file": or_null(TEXT),
        "line": or_null(COUNT),
        "remedy": or_null(TEXT),
        "code": or_null({"type": "string", "pattern": r"^E\d{3}$"}),
    }
    error = object_of(parts, {"others": list_of(object_of(parts))})
    return document(
        "An error, as --json prints it",
        "The fact, the place and the remedy; `mlkit explain CODE` tells more of the code. Further "
        "mistakes of the same pipeline stand under `others`.",
        object_of({"error": error}),
    )


_EVENT_ERROR = or_null(object_of({"type": TEXT, "message": TEXT}, {"cell": or_null(COUNT)}))
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
    EventKind.RUN_FINISHED: {"status": RUN_STATUS, "seconds": NUMBER, "counts": by_name(COUNT)},
    EventKind.STAGE_WAITING: {"stage": TEXT, "for": TEXT},
    EventKind.STAGE_MAPPED: {"stage": TEXT, "instances": TEXTS},
    EventKind.STAGE_FINISHED: {
        "stage": TEXT,
        "status": STATUS,
        "reason": TEXT,
        "seconds": NUMBER,
        "attempts": COUNT,
        "outputs": OUTPUTS,
        "metrics": by_name(NUMBER),
        "error": _EVENT_ERROR,
    },
    EventKind.ATTEMPT_STARTED: {"stage": TEXT, "attempt": COUNT, "cells": COUNT, "reason": TEXT},
    EventKind.CELL_STARTED: {"stage": TEXT, "attempt": COUNT, "cell": COUNT, "cells": COUNT},
    EventKind.PROGRESS: {"stage": TEXT, "attempt": COUNT, "cell": COUNT, "cells": COUNT},
    EventKind.ATTEMPT_FINISHED: {
        "stage": TEXT,
        "attempt": COUNT,
        "status": STATUS,
        "seconds": NUMBER,
        "error": _EVENT_ERROR,
        "cpu_s": or_null(NUMBER),
        "peak_memory_bytes": or_null(COUNT),
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


_MAY_HAVE: dict[EventKind, dict[str, Schema]] = {
    EventKind.CELL_STARTED: {"line": TEXT},
    EventKind.PROGRESS: {
        "label": TEXT,
        "done": NUMBER,
        "total": or_null(NUMBER),
        "metrics": by_name({"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}),
    },
}


def event_schema() -> Schema:
    """Give the schema of a line of events.jsonl."""
    every = object_of({"event": TEXT, "time": NUMBER, "run_id": TEXT})
    kinds = [
        {
            "if": {"properties": {"event": {"const": kind.value}}},
            "then": object_of(_FIELDS.get(kind, {}), _MAY_HAVE.get(kind, {})),
        }
        for kind in EventKind
    ]
    return document(
        "A line of events.jsonl",
        "One event of a run. A reader passes over kinds and fields that it does not know.",
        {**every, "allOf": kinds},
    )
