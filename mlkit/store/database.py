"""The database of a runs folder: runs, stages, attempts, artifacts and fingerprints, in SQLite."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import Status
from mlkit.errors import RunsFolderError
from mlkit.store.artifacts import Marks
from mlkit.store.folder import readable_os_errors
from mlkit.store.rows import (
    SCHEMA,
    SCHEMA_VERSION,
    attempt_rows,
    run_row,
    stage_from_row,
    stage_row,
)

__all__ = ["Database", "Finding", "Result"]

_BUSY_TIMEOUT_S = 60.0


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


class Database:
    """The file `mlkit.db`; one object for each thread.

    Every change of state is one transaction.

    Parameters
    ----------
    path : Path
        The file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with readable_os_errors(path.parent), _readable_errors(path):
            self._connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._prepare()

    def _prepare(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            self._connection.execute("PRAGMA synchronous=NORMAL")
            return
        if version > SCHEMA_VERSION:
            raise RunsFolderError(
                "this runs folder was written by a newer mlkit",
                self.path,
                remedy="Update mlkit, or choose another folder with --runs-dir",
            )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        with self._transaction():
            for statement in SCHEMA:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _readable_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def save_run(self, record: RunRecord) -> None:
        """Write what is known of a run itself; its stages are saved one by one."""
        with self._transaction():
            self._put("runs", run_row(record))

    def save_stage(self, run_id: str, stage: StageRecord, place: int) -> None:
        """Write the state of one stage with its attempts."""
        with self._transaction():
            self._save_stage(run_id, stage, place)

    def _save_stage(self, run_id: str, stage: StageRecord, place: int) -> None:
        self._put("stages", stage_row(run_id, stage, place))
        for row in attempt_rows(run_id, stage):
            self._put("attempts", row)

    def commit_result(
        self,
        stage: StageRecord,
        place: int,
        finding: Finding,
        artifacts: Mapping[str, tuple[str, Marks]],
    ) -> StageRecord:
        """Write the end of a stage that ran: its artifacts and its result, together or not at all.

        Parameters
        ----------
        stage : StageRecord
            The stage as it ended.
        place : int
            Its place in the run's record.
        finding : Finding
            What the result depended on.
        artifacts : mapping of str to (str, Marks)
            Output name to the artifact's digest and its master's marks.

        Returns
        -------
        StageRecord
            With the number of its result.
        """
        outputs = {name: digest for name, (digest, _) in artifacts.items()}
        with self._transaction():
            for digest, marks in artifacts.values():
                self._put("artifacts", _artifact_row(digest, marks, finding.created))
            row = {
                "pipeline": finding.pipeline,
                "stage": stage.id,
                "status": stage.status.value,
                "key": finding.key,
                "parts": json.dumps(finding.parts),
                "observed": json.dumps(finding.observed),
                "outputs": json.dumps(outputs),
                "run_id": finding.run_id,
                "created": finding.created,
            }
            stage = replace(stage, result=self._put("fingerprints", row))
            self._save_stage(finding.run_id, stage, place)
        return stage

    def _put(self, table: str, row: Mapping[str, Any]) -> int:
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        cursor = self._connection.execute(
            f"INSERT OR REPLACE INTO {table}({columns}) VALUES ({marks})", tuple(row.values())
        )
        return cursor.lastrowid or 0

    def results(self, pipeline: str, stage: str) -> list[Result]:
        """All results of one stage or instance, newest first."""
        rows = self._query(
            "SELECT * FROM fingerprints WHERE pipeline = ? AND stage = ? ORDER BY id DESC",
            (pipeline, stage),
        )
        return [_result(row) for row in rows]

    def result(self, result_id: int) -> Result | None:
        """One result; None if it is gone."""
        rows = self._query("SELECT * FROM fingerprints WHERE id = ?", (result_id,))
        return _result(rows[0]) if rows else None

    def runs_with_result(self, result_id: int) -> list[str]:
        """The runs that made or reused a result, newest first."""
        rows = self._query(
            "SELECT run_id FROM stages WHERE result = ? ORDER BY run_id DESC LIMIT 20", (result_id,)
        )
        return [row["run_id"] for row in rows]

    def known_digest(self, path: str, marks: Marks) -> str | None:
        """The digest of a file that was read before and is unchanged at a glance."""
        rows = self._query(
            "SELECT digest FROM files WHERE path = ? AND size_bytes = ? AND mtime_ns = ? "
            "AND inode = ?",
            (path, marks.size_bytes, marks.mtime_ns, marks.inode),
        )
        return str(rows[0]["digest"]) if rows else None

    def remember_digest(self, path: str, marks: Marks, digest: str) -> None:
        """Keep the digest of a file that was read."""
        with self._transaction():
            self._put(
                "files",
                {
                    "path": path,
                    "size_bytes": marks.size_bytes,
                    "mtime_ns": marks.mtime_ns,
                    "inode": marks.inode,
                    "digest": digest,
                },
            )

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

    def load_run(self, run_id: str) -> RunRecord | None:
        """Read the whole record of a run; None if there is none."""
        rows = self._query("SELECT * FROM runs WHERE run_id = ?", (run_id,))
        return self._record(rows[0]) if rows else None

    def load_runs(self) -> list[RunRecord]:
        """Read the records of all runs, oldest first."""
        return [self._record(row) for row in self._query("SELECT * FROM runs ORDER BY run_id", ())]

    def _record(self, row: sqlite3.Row) -> RunRecord:
        from mlkit.store.rows import run_from_row

        stages = self._query(
            "SELECT * FROM stages WHERE run_id = ? ORDER BY place, id", (row["run_id"],)
        )
        attempts: dict[str, list[Any]] = {}
        for attempt in self._query(
            "SELECT * FROM attempts WHERE run_id = ? ORDER BY number", (row["run_id"],)
        ):
            attempts.setdefault(attempt["stage"], []).append(json.loads(attempt["document"]))
        return run_from_row(
            row, [stage_from_row(stage, attempts.get(stage["id"], [])) for stage in stages]
        )

    def delete_run(self, run_id: str) -> None:
        """Drop a run; its results stay as long as their artifacts do."""
        with self._transaction():
            for table in ("attempts", "stages", "runs"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE run_id = ?",
                    (run_id,),
                )

    def delete_results_of(self, run_id: str) -> None:
        """Drop the results that a run computed and no remaining run has used."""
        with self._transaction():
            self._connection.execute(
                "DELETE FROM fingerprints WHERE run_id = ? AND id NOT IN "
                "(SELECT result FROM stages WHERE result IS NOT NULL)",
                (run_id,),
            )

    def digests_without(self, runs: set[str]) -> set[str]:
        """Every artifact that is still named if some runs, and what only they used, are gone."""
        found: set[str] = set()
        used: set[int] = set()
        for row in self._query("SELECT run_id, result, document FROM stages", ()):
            if row["run_id"] not in runs:
                used.add(row["result"])
                artifacts = json.loads(row["document"])["artifacts"]
                found.update(item["digest"] for item in artifacts.values())
        for row in self._query("SELECT id, run_id, outputs FROM fingerprints", ()):
            if row["run_id"] not in runs or row["id"] in used:
                found.update(json.loads(row["outputs"]).values())
        return found

    def forget_artifacts(self, digests: Iterable[str]) -> None:
        """Drop artifacts that are no longer in the store."""
        with self._transaction():
            for digest in digests:
                self._connection.execute("DELETE FROM artifacts WHERE digest = ?", (digest,))

    def remember_marks(self, digest: str, marks: Marks, now: float) -> None:
        """Record the marks of a master that was found whole under other marks."""
        with self._transaction():
            self._put("artifacts", _artifact_row(digest, marks, now))

    def _query(self, sql: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        with _readable_errors(self.path):
            return self._connection.execute(sql, values).fetchall()


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


def _artifact_row(digest: str, marks: Marks, now: float) -> dict[str, Any]:
    return {
        "digest": digest,
        "size_bytes": marks.size_bytes,
        "mtime_ns": marks.mtime_ns,
        "inode": marks.inode,
        "created": now,
    }


@contextlib.contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise RunsFolderError(
            f"the database of the runs folder cannot be used: {error}",
            path,
            remedy="See that the disk has room and the folder can be written, "
            "or choose another with --runs-dir",
        ) from error
