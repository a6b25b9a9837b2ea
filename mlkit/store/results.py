"""The results of stages: what each depended on, what it made, and artifacts' marks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlkit.core.states import Status
from mlkit.store.artifacts import Marks
from mlkit.store.connection import Connection

__all__ = ["Finding", "Result", "Results", "artifact_row"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one attempt made, and everything it depended on.

    Parameters
    ----------
    id : int
        Its row in `fingerprints`.
    pipeline, stage : str
        Whose result it is; the stage is an instance's id.
    key : str
        The digest of the parts that are known before the stage runs.
    parts : mapping
        These parts, to say later what changed.
    observed : mapping
        What showed only when it ran: project modules by digest, packages by version.
    outputs : mapping of str to str
        Output name to artifact digest.
    run_id : str
        The run that computed it.
    """

    id: int
    pipeline: str
    stage: str
    key: str
    parts: Mapping[str, Any]
    observed: Mapping[str, Any]
    outputs: Mapping[str, str]
    run_id: str
    status: Status = Status.SUCCEEDED


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a new result depended on; the fields are those of `Result`."""

    pipeline: str
    run_id: str
    key: str
    parts: Mapping[str, Any]
    observed: Mapping[str, Any]
    created: float


class Results(Connection):
    """The tables `fingerprints`, `artifacts` and `digests`."""

    def results(self, pipeline: str, stage: str, *, limit: int = 1) -> list[Result]:
        """The newest results of one stage or instance that can be reused, newest first."""
        rows = self._query(
            "SELECT * FROM fingerprints WHERE pipeline = ? AND stage = ? AND status = ? "
            "ORDER BY id DESC LIMIT ?",
            (pipeline, stage, Status.SUCCEEDED.value, limit),
        )
        return [_result(row) for row in rows]

    def results_with_key(self, pipeline: str, stage: str, key: str) -> list[Result]:
        """The reusable results of one stage or instance with these parts, newest first."""
        rows = self._query(
            "SELECT * FROM fingerprints WHERE pipeline = ? AND stage = ? AND key = ? "
            "AND status = ? ORDER BY id DESC",
            (pipeline, stage, key, Status.SUCCEEDED.value),
        )
        return [_result(row) for row in rows]

    def result(self, result_id: int) -> Result | None:
        """One result; None if it is gone."""
        rows = self._query("SELECT * FROM fingerprints WHERE id = ?", (result_id,))
        return _result(rows[0]) if rows else None

    def runs_with_result(self, result_id: int) -> list[str]:
        """The runs that made or reused a result, newest first."""
        rows = self._query(
            "SELECT stages.run_id FROM stages LEFT JOIN runs USING(run_id) WHERE result = ? "
            "ORDER BY json_extract(runs.document, '$.turn') DESC, stages.run_id DESC LIMIT 20",
            (result_id,),
        )
        return [row["run_id"] for row in rows]

    def known_digest(self, path: str, marks: Sequence[int]) -> str | None:
        """The digest of a file that was read before and has the same size, times and inode."""
        rows = self._query(
            "SELECT digest FROM digests WHERE path = ? AND marks = ?",
            (path, json.dumps(list(marks))),
        )
        return str(rows[0]["digest"]) if rows else None

    def remember_digest(self, path: str, marks: Sequence[int], digest: str) -> None:
        """Keep the digest of a file that was read."""
        with self._transaction():
            row = {"path": path, "marks": json.dumps(list(marks)), "digest": digest}
            self._put("digests", row)

    def marks(self, digests: Iterable[str]) -> dict[str, Marks]:
        """The recorded marks of artifacts' masters."""
        found = {}
        for digest in digests:
            for row in self._query("SELECT * FROM artifacts WHERE digest = ?", (digest,)):
                found[digest] = Marks(
                    size_bytes=row["size_bytes"], mtime_ns=row["mtime_ns"], inode=row["inode"]
                )
        return found

    def forget_result(self, result_id: int) -> None:
        """Drop a result whose artifacts are damaged."""
        with self._transaction():
            self._connection.execute("DELETE FROM fingerprints WHERE id = ?", (result_id,))

    def remember_repairs(self, digests: Iterable[str], now: float) -> None:
        """Write down that copies of artifacts were found damaged, before they are made good."""
        with self._transaction():
            for digest in digests:
                self._put("repairs", {"digest": digest, "time": now})

    def repaired_since(self, digests: Iterable[str], since: float) -> bool:
        """Whether a copy of one of these artifacts was found damaged after some moment."""
        return any(
            self._query(
                "SELECT 1 FROM repairs WHERE digest = ? AND time > ? LIMIT 1", (digest, since)
            )
            for digest in digests
        )

    def forget_artifacts(self, digests: Iterable[str]) -> None:
        """Drop artifacts that are no longer in the store."""
        with self._transaction():
            for digest in digests:
                self._connection.execute("DELETE FROM artifacts WHERE digest = ?", (digest,))

    def remember_marks(self, digest: str, marks: Marks, now: float) -> None:
        """Record the marks of a master that was found whole under other marks."""
        with self._transaction():
            self._put("artifacts", artifact_row(digest, marks, now))


def _result(row: sqlite3.Row) -> Result:
    return Result(
        id=row["id"],
        pipeline=row["pipeline"],
        stage=row["stage"],
        key=row["key"],
        parts=json.loads(row["parts"]),
        observed=json.loads(row["observed"]),
        outputs=json.loads(row["outputs"]),
        run_id=row["run_id"],
        status=Status(row["status"]),
    )


def artifact_row(digest: str, marks: Marks, now: float) -> dict[str, Any]:
    """The row of an artifact."""
    return {
        "digest": digest,
        "size_bytes": marks.size_bytes,
        "mtime_ns": marks.mtime_ns,
        "inode": marks.inode,
        "created": now,
    }
