"""The result of one attempt, as it can be reused, and its row in the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from mlkit.core.states import Status
from mlkit.frozen import dataclass

__all__ = ["Result", "result_of_row", "row_of_result"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one attempt made, and everything it depended on.

    Parameters
    ----------
    pipeline, stage : str
        Whose result it is; the stage is an instance's id.
    key : str
        The digest of the parts that are known before the stage runs.
    parts : mapping
        These parts, to say later what changed.
    observed : mapping
        What showed only when it ran: what it read, and packages by version.
    outputs : mapping of str to str
        Output name to artifact digest.
    logged : mapping
        What it logged with `mlkit.log_metric`: `metrics` and `curves`; empty if it did not.
    run_id : str
        The run that computed it; once that is cleaned away, one that used it.
    created : float
        When, in seconds since 1970.
    status : Status
        How the attempt ended; a result that can be reused has succeeded.
    id : int
        Its row in `fingerprints`; 0 of one that has none yet, or stands in a store.
    """

    pipeline: str
    stage: str
    key: str
    parts: Mapping[str, Any]
    observed: Mapping[str, Any]
    outputs: Mapping[str, str]
    run_id: str
    created: float
    status: Status = Status.SUCCEEDED
    logged: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0

    def to_json(self) -> dict[str, Any]:
        """The result without its number, which belongs to one database."""
        return {
            "pipeline": self.pipeline,
            "stage": self.stage,
            "status": self.status.value,
            "key": self.key,
            "parts": dict(self.parts),
            "observed": dict(self.observed),
            "outputs": dict(self.outputs),
            "run_id": self.run_id,
            "created": self.created,
            "logged": dict(self.logged),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, number: int = 0) -> Result:
        """Undo `to_json`; what else the document holds is passed over."""
        names = (*_PLAIN, *_JSON)
        return cls(
            **{**{n: data[n] for n in names}, "status": Status(data["status"]), "id": number},
            logged=data.get("logged") or {},
        )


_PLAIN = ("pipeline", "stage", "key", "run_id", "created")
_JSON = ("parts", "observed", "outputs")


def row_of_result(result: Result) -> dict[str, Any]:
    """The row of a result in `fingerprints`."""
    columns = (*_JSON, "logged")
    return {**result.to_json(), **{name: json.dumps(getattr(result, name)) for name in columns}}


def result_of_row(row: sqlite3.Row) -> Result:
    """Undo `row_of_result`."""
    document = {**dict(row), **{name: json.loads(row[name]) for name in _JSON}}
    document["logged"] = json.loads(row["logged"] or "{}")
    return Result.from_json(document, number=row["id"])
