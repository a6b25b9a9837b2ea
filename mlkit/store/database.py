"""The database of a runs folder: results of stages, and the records of runs, in one SQLite file."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.core.intervals import Interval
from mlkit.core.record import FORMAT, RunRecord, StageRecord, with_overrides
from mlkit.core.record_views import moved
from mlkit.core.scrubbing import Scrubber
from mlkit.core.states import SUCCESSFUL, RunStatus, Status
from mlkit.core.values import decode
from mlkit.store.artifact_store import Marks
from mlkit.store.connection import (
    open_to_look,
    open_to_write,
    readable,
    readable_sqlite_errors,
    transaction,
)
from mlkit.store.database_tables import CLEANED_SCHEMA, SCHEMA_VERSION, SHARED_SCHEMA, prepare
from mlkit.store.record_rows import (
    row_of_attempt,
    row_of_run,
    row_of_stage,
    run_of_row,
    stage_of_row,
)
from mlkit.store.refusals import readable_os_errors
from mlkit.store.result import Result, result_of_row, row_of_result

if TYPE_CHECKING:
    from mlkit.core.run_row import RunRow

__all__ = ["Database"]

_TURN = "json_extract(document, '$.turn')"
_INDEXED = f"COALESCE({_TURN}, 0)"
"""As the index has it: asked for otherwise, the document of each run is read."""
_BY_TURN = f"ORDER BY {_INDEXED}, run_id"
"""Runs of an older mlkit have no turn; they come first, by their ids, which begin with the time."""

_MOST_VALUES = 500
"""So many ids in one query: SQLite's own limit was 999 for long."""


class Database:
    """The file `mlkit.db`; one object for each thread.

    Every change of state is one transaction.

    Parameters
    ----------
    path : Path
        The file; made if it is not there.
    only_looks : bool
        Read what is there, and write nothing: neither into the file nor beside it.

    Attributes
    ----------
    scrubber : Scrubber
        Takes the secrets of the present run out of everything that is written.
    """

    scrubber = Scrubber()

    def __init__(self, path: Path, *, only_looks: bool = False) -> None:
        self.path = path
        with readable_os_errors(path.parent), readable_sqlite_errors(path):
            self._connection = (
                open_to_look(path, SCHEMA_VERSION) if only_looks else open_to_write(path)
            )
            self._connection.row_factory = sqlite3.Row
            try:
                self.is_new = prepare(self._connection, path)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with readable_sqlite_errors(self.path), transaction(self._connection):
            yield

    def _put(self, table: str, row: Mapping[str, Any]) -> int:
        """Write one row; one with the same key is replaced."""
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        cursor = self._connection.execute(
            f"INSERT OR REPLACE INTO {table}({columns}) VALUES ({marks})", tuple(row.values())
        )
        return cursor.lastrowid or 0

    def _query(self, sql: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise readable(error, self.path) from error

    # Results of stages, and the marks of their artifacts.

    def results(self, pipeline: str, stage: str, *, limit: int | None = None) -> list[Result]:
        """The reusable results of one stage or instance, newest first; the newest of each key."""
        rows = self._query(
            "SELECT * FROM fingerprints WHERE id IN (SELECT MAX(id) FROM fingerprints "
            "WHERE pipeline = ? AND stage = ? AND status = ? GROUP BY key) ORDER BY id DESC "
            "LIMIT ?",
            (pipeline, stage, Status.SUCCEEDED.value, -1 if limit is None else limit),
        )
        return [result_of_row(row) for row in rows]

    def results_with_key(self, pipeline: str, stage: str, key: str) -> list[Result]:
        """The reusable results of one stage or instance with these parts, newest first."""
        rows = self._query(
            "SELECT * FROM fingerprints WHERE pipeline = ? AND stage = ? AND key = ? "
            "AND status = ? ORDER BY id DESC",
            (pipeline, stage, key, Status.SUCCEEDED.value),
        )
        return [result_of_row(row) for row in rows]

    def was_cleaned(self, pipeline: str, stage: str, key: str | None = None) -> bool:
        """Whether a result of an instance, with this key or with any, was cleaned away."""
        if not self._query("SELECT 1 FROM sqlite_master WHERE name = 'cleaned'", ()):
            return False
        sql = "SELECT 1 FROM cleaned WHERE pipeline = ? AND stage = ? AND key = IFNULL(?, key)"
        return bool(self._query(f"{sql} LIMIT 1", (pipeline, stage, key)))

    def note_cleaned(self, store: str, names: Iterable[str]) -> None:
        """Write down that results were cleaned out of a store by somebody else."""
        with self._transaction():
            self._connection.execute(CLEANED_SCHEMA)
            for name in names:
                self._connection.execute(
                    "INSERT OR IGNORE INTO cleaned SELECT pipeline, stage, key FROM fingerprints "
                    "WHERE id IN (SELECT result FROM shared WHERE store = ? AND name = ?)",
                    (store, name),
                )

    def result(self, result_id: int) -> Result | None:
        """One result; None if it is gone."""
        rows = self._query("SELECT * FROM fingerprints WHERE id = ?", (result_id,))
        return result_of_row(rows[0]) if rows else None

    def runs_with_result(self, result_id: int) -> list[str]:
        """The runs that made or reused a result, newest first by their ids."""
        # The index has them in this order. Whose clock was set back is found a little later: the
        # turns stand within the runs' documents, and to read these for each stage takes longer
        # than all the rest.
        rows = self._query(
            "SELECT run_id FROM stages WHERE result = ? ORDER BY run_id DESC LIMIT 20",
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
            self._put("artifacts", _artifact_row(digest, marks, now))

    # Results that are shared with others through a store behind a URL.

    def open_shared(self) -> None:
        """Make the table."""
        with self._transaction():
            for statement in SHARED_SCHEMA:
                self._connection.execute(statement)

    def shared_names(self, store: str) -> set[str]:
        """The names in a store of the results that are known here."""
        rows = self._query("SELECT name FROM shared WHERE store = ?", (store,))
        return {row["name"] for row in rows}

    def is_shared(self, store: str, result_id: int) -> bool:
        """Whether a result stands in a store."""
        sql = "SELECT 1 FROM shared WHERE store = ? AND result = ? LIMIT 1"
        return bool(self._query(sql, (store, result_id)))

    def remember_shared(self, store: str, name: str, result_id: int) -> None:
        """Write down that a result stands in a store."""
        with self._transaction():
            self._put("shared", {"store": store, "name": name, "result": result_id})

    def forget_shared(self, store: str, names: Iterable[str]) -> None:
        """Write down that results are no longer in a store."""
        with self._transaction():
            for name in names:
                self._connection.execute(
                    "DELETE FROM shared WHERE store = ? AND name = ?", (store, name)
                )

    def orphans(self, store: str) -> list[str]:
        """The names in a store of results that this database no longer has."""
        rows = self._query(
            "SELECT name FROM shared WHERE store = ? AND result NOT IN "
            "(SELECT id FROM fingerprints)",
            (store,),
        )
        return [row["name"] for row in rows]

    def take_in(self, store: str, results: Mapping[str, Result]) -> None:
        """Add results from a store, oldest first; one that is here already gets no second row.

        Parameters
        ----------
        store : str
            The store's URL.
        results : mapping of str to Result
            By their names in the store.
        """
        with self._transaction():
            for name, result in sorted(results.items(), key=lambda item: item[1].created):
                result_id = self._same(result) or self._put("fingerprints", row_of_result(result))
                self._put("shared", {"store": store, "name": name, "result": result_id})

    def _same(self, result: Result) -> int | None:
        rows = self._query(
            "SELECT id FROM fingerprints WHERE pipeline = ? AND stage = ? AND key = ? "
            "AND run_id = ? AND created = ?",
            (result.pipeline, result.stage, result.key, result.run_id, result.created),
        )
        return int(rows[0]["id"]) if rows else None

    def result_of(
        self, pipeline: str, stage: str, run_id: str, outputs: Mapping[str, str]
    ) -> int | None:
        """The newest result that a run computed for a stage with these artifacts."""
        rows = self._query(
            "SELECT id, outputs FROM fingerprints WHERE pipeline = ? AND stage = ? "
            "AND run_id = ? ORDER BY id DESC",
            (pipeline, stage, run_id),
        )
        return next((r["id"] for r in rows if json.loads(r["outputs"]) == dict(outputs)), None)

    # Records of runs, with their stages and attempts.

    def save_run(self, record: RunRecord, *, arrived: bool = False) -> None:
        """Write what is known of a run itself; its stages are saved one by one.

        Parameters
        ----------
        record : RunRecord
            The run.
        arrived : bool
            Whether another machine has made it: then it takes its place by its clock.
        """
        kept = self.scrubber.record(replace(record, stages={}))
        with self._transaction():
            self._put("runs", row_of_run(kept, self._turn(record, arrived=arrived)))

    def _turn(self, record: RunRecord, *, arrived: bool) -> int | None:
        """The number that says which run began before which, whatever their clocks said."""
        rows = self._query(f"SELECT {_TURN} FROM runs WHERE run_id = ?", (record.run_id,))
        if rows:
            return None if rows[0][0] is None else int(rows[0][0])
        before = ("WHERE started <= ?", (record.started,)) if arrived else ("", ())
        last = self._query(
            f"SELECT {_INDEXED} FROM runs {before[0]} ORDER BY {_INDEXED} DESC LIMIT 1", before[1]
        )
        return (int(last[0][0]) if last else 0) + (0 if arrived else 1)

    def is_later(self, one: str, other: str) -> bool:
        """Whether a run began after another one; of one that is gone its id tells when."""
        rows = self._query(
            f"SELECT run_id FROM runs WHERE run_id IN (?, ?) {_BY_TURN}", (one, other)
        )
        found = [row["run_id"] for row in rows]
        return one != other and found[-1:] == [one] if other in found else one > other

    def newest_run_id(self) -> str | None:
        """The run that began last; None if there is none."""
        rows = self._query(
            f"SELECT run_id FROM runs ORDER BY {_INDEXED} DESC, run_id DESC LIMIT 1", ()
        )
        return str(rows[0]["run_id"]) if rows else None

    def save_stage(self, run_id: str, stage: StageRecord, place: int) -> None:
        """Write the state of one stage with its attempts."""
        self.save_stages(run_id, [stage], {stage.id: place})

    def save_stages(
        self, run_id: str, stages: Iterable[StageRecord], places: Mapping[str, int]
    ) -> None:
        """Write the states of some stages of a run, all of them or none."""
        with self._transaction():
            for stage in stages:
                self._save_stage(run_id, stage, places[stage.id])

    def _save_stage(self, run_id: str, stage: StageRecord, place: int) -> None:
        kept = self.scrubber.stage(stage)
        self._put("stages", row_of_stage(run_id, kept, place))
        for attempt in kept.history:
            self._put("attempts", row_of_attempt(run_id, kept.id, attempt))
        self._save_metrics(run_id, kept, place)

    def _save_metrics(self, run_id: str, stage: StageRecord, place: int) -> None:
        self._connection.execute(
            "DELETE FROM metrics WHERE run_id = ? AND stage = ?", (run_id, stage.id)
        )
        self._put_metrics(run_id, stage.id, place, stage.metrics or {})
        if stage.metrics is None and stage.status in SUCCESSFUL:
            self._put("unmeasured", {"run_id": run_id})

    def _put_metrics(
        self, run_id: str, stage: str, place: int, numbers: Mapping[str, float]
    ) -> None:
        """Write numbers in their order, which is the order of the table's columns."""
        own = {"run_id": run_id, "place": place, "stage": stage}
        for number, (name, value) in enumerate(numbers.items()):
            self._put("metrics", {**own, "number": number, "name": name, "value": value})

    def keep_stages(self, run_id: str, ids: Iterable[str]) -> list[str]:
        """Drop the entries of a run that are not among the ids; gives those that were dropped.

        A stage that stood there under its own name before its values were known, or a value that a
        resumed run does not have any more, is no part of the record.
        """
        kept = set(ids)
        rows = self._query("SELECT id FROM stages WHERE run_id = ?", (run_id,))
        dropped = [row["id"] for row in rows if row["id"] not in kept]
        self.drop_stages(run_id, dropped)
        return dropped

    def drop_stages(self, run_id: str, ids: Collection[str]) -> None:
        """Drop some entries of a run, with their attempts."""
        if not ids:
            return
        with self._transaction():
            for instance_id in ids:
                for table, column in (
                    ("stages", "id"),
                    ("attempts", "stage"),
                    ("metrics", "stage"),
                ):
                    self._connection.execute(
                        f"DELETE FROM {table} WHERE run_id = ? AND {column} = ?",
                        (run_id, instance_id),
                    )

    def commit_result(
        self,
        stage: StageRecord,
        place: int,
        result: Result,
        marks: Mapping[str, Marks],
    ) -> StageRecord:
        """Write the end of a stage that ran: its artifacts and its result, together or not at all.

        Parameters
        ----------
        stage : StageRecord
            The stage as it ended.
        place : int
            Its place in the run's record.
        result : Result
            What it made, and what that depended on.
        marks : mapping of str to Marks
            The marks of the artifacts' masters, by digest.

        Returns
        -------
        StageRecord
            With the number of its result.
        """
        kept = replace(result, parts=self.scrubber.value(result.parts))
        with self._transaction():
            for digest, mark in marks.items():
                self._put("artifacts", _artifact_row(digest, mark, result.created))
            stage = replace(stage, result=self._put("fingerprints", row_of_result(kept)))
            if self.was_cleaned(result.pipeline, result.stage, result.key):
                self._connection.execute(
                    "DELETE FROM cleaned WHERE pipeline = ? AND stage = ? AND key = ?",
                    (result.pipeline, result.stage, result.key),
                )
            self._save_stage(result.run_id, stage, place)
        return stage

    def load_run(self, run_id: str) -> RunRecord | None:
        """Read the whole record of a run; None if there is none."""
        rows = self._query("SELECT * FROM runs WHERE run_id = ?", (run_id,))
        return self._record(rows[0]) if rows else None

    def run_alone(self, run_id: str) -> RunRecord | None:
        """Read what is recorded of a run itself, without its stages; None if there is none."""
        rows = self._query("SELECT * FROM runs WHERE run_id = ?", (run_id,))
        return self._run(rows[0], {}) if rows else None

    def load_runs(self) -> list[RunRecord]:
        """Read the records of all runs, oldest first."""
        return [self._record(row) for row in self._query(f"SELECT * FROM runs {_BY_TURN}", ())]

    def runs_alone(self) -> list[RunRecord]:
        """Read what is recorded of all runs themselves, oldest first, without their stages."""
        return [self._run(row, {}) for row in self._query(f"SELECT * FROM runs {_BY_TURN}", ())]

    # The table of runs: what stands in narrow rows, read for thousands of runs at once.

    def run_ids(self) -> list[str]:
        """The ids of all runs, oldest first."""
        return [row["run_id"] for row in self._query(f"SELECT run_id FROM runs {_BY_TURN}", ())]

    def run_rows(self, runs: Sequence[str] | None = None) -> dict[str, RunRow]:
        """Read what the table of runs shows of each run, by its id.

        Parameters
        ----------
        runs : sequence of str, optional
            The ids of the runs; None for all.
        """
        # What only the table of runs needs; a run itself begins the sooner.
        from mlkit.core.early_stopping import STOPPED

        metrics: dict[str, dict[str, float]] = {}
        for run_id, stage, name, value in self._of_runs(
            "SELECT run_id, stage, name, value FROM metrics", runs
        ):
            metrics.setdefault(run_id, {})[f"{stage}.{name}"] = value
        counts: dict[str, dict[str, int]] = {}
        for run_id, status, number in self._of_runs(
            "SELECT run_id, status, count(*) FROM stages", runs, "GROUP BY run_id, status"
        ):
            counts.setdefault(run_id, {})[status] = number
        rows = self._of_runs(
            "SELECT run_id, pipeline, status, started, ended, "
            "json_extract(document, '$.idle_s') AS idle_s, "
            "json_extract(document, '$.parameters') AS parameters, "
            "json_extract(document, '$.options.overrides') AS overrides, "
            "json_extract(document, '$.options.profile') AS profile, "
            "json_extract(document, '$.options.group') AS grouped, "
            "json_extract(document, '$.options.interval') AS interval, "
            "json_extract(document, '$.options.note') AS note, "
            "json_extract(document, '$.format') AS format FROM runs",
            runs,
        )
        found = {
            row["run_id"]: _table_row(
                row, metrics.get(row["run_id"], {}), counts.get(row["run_id"], {})
            )
            for row in rows
        }
        cancelled = [key for key, row in found.items() if row.status is RunStatus.CANCELLED]
        for run_id, reason in self._of_runs(
            "SELECT run_id, reason FROM stages", cancelled, f"AND status = '{Status.CANCELLED}'"
        ):
            if reason.startswith(STOPPED):
                found[run_id] = replace(found[run_id], said=STOPPED)
        return found

    def unmeasured_runs(self) -> set[str]:
        """The runs of which the database does not know what their stages measured."""
        return {row["run_id"] for row in self._query("SELECT run_id FROM unmeasured", ())}

    def remember_metrics(self, measured: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
        """Keep what was read of the files of older runs: run, stage, name, value."""
        with self._transaction():
            for run_id, stages in measured.items():
                places = self._query("SELECT id, place FROM stages WHERE run_id = ?", (run_id,))
                for row in places:
                    self._put_metrics(run_id, row["id"], row["place"], stages.get(row["id"], {}))
                self._connection.execute("DELETE FROM unmeasured WHERE run_id = ?", (run_id,))

    def _of_runs(
        self, select: str, runs: Sequence[str] | None, rest: str = ""
    ) -> Iterator[sqlite3.Row]:
        """The rows of some runs; SQLite takes only so many values at once."""
        if runs is None:
            yield from self._query(f"{select} {rest}", ())
            return
        for start in range(0, len(runs), _MOST_VALUES):
            part = tuple(runs[start : start + _MOST_VALUES])
            marks = ", ".join("?" * len(part))
            yield from self._query(f"{select} WHERE run_id IN ({marks}) {rest}", part)

    def scheduled_runs(self, pipeline: str) -> list[RunRecord]:
        """Read the runs of a pipeline that were made for an interval, without their stages."""
        rows = self._query(
            "SELECT * FROM runs WHERE pipeline = ? AND "
            f"json_extract(document, '$.options.interval') IS NOT NULL {_BY_TURN}",
            (pipeline,),
        )
        return [self._run(row, {}) for row in rows]

    def _record(self, row: sqlite3.Row) -> RunRecord:
        stages = self._query(
            "SELECT * FROM stages WHERE run_id = ? ORDER BY place, id", (row["run_id"],)
        )
        attempts: dict[str, list[Any]] = {}
        for attempt in self._query(
            "SELECT * FROM attempts WHERE run_id = ? ORDER BY number", (row["run_id"],)
        ):
            attempts.setdefault(attempt["stage"], []).append(json.loads(attempt["document"]))
        return self._run(row, {s["id"]: stage_of_row(s, attempts.get(s["id"], [])) for s in stages})

    def _run(self, row: sqlite3.Row, stages: Mapping[str, StageRecord]) -> RunRecord:
        """The record of a run where it is now; its folder may have been moved or copied since."""
        return moved(run_of_row(row, stages), str(self.path.parent))

    def delete_run(self, run_id: str) -> None:
        """Drop a run; its results stay as long as their artifacts do."""
        with self._transaction():
            for table in ("attempts", "metrics", "unmeasured", "stages", "runs"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE run_id = ?",
                    (run_id,),
                )

    def hand_on_results(self, run_id: str, other: str) -> None:
        """Let the results of a run count as another's, with which they go."""
        with self._transaction():
            self._connection.execute(
                "UPDATE fingerprints SET run_id = ? WHERE run_id = ?", (other, run_id)
            )

    def delete_results_of(self, run_id: str) -> None:
        """Drop the results that a run computed and no remaining run has used; they are noted.

        Those that one has used count as its own from here on: they go with the last that did.
        """
        of_run = (
            "FROM fingerprints WHERE run_id = ? AND id NOT IN "
            "(SELECT result FROM stages WHERE result IS NOT NULL)"
        )
        with self._transaction():
            self._connection.execute(CLEANED_SCHEMA)
            self._connection.execute(
                f"INSERT OR IGNORE INTO cleaned SELECT DISTINCT pipeline, stage, key {of_run} "
                "AND status = ?",
                (run_id, Status.SUCCEEDED.value),
            )
            self._connection.execute(f"DELETE {of_run}", (run_id,))
            self._connection.execute(
                "UPDATE fingerprints SET run_id = (SELECT MAX(run_id) FROM stages "
                "WHERE stages.result = fingerprints.id) WHERE run_id = ?",
                (run_id,),
            )

    def digests_without(self, runs: set[str]) -> set[str]:
        """Every artifact that is still named if some runs, and what only they used, are gone."""
        # SQLite reads the documents itself: those of a long history are hundreds of thousands.
        others, gone = "WHERE run_id NOT IN (SELECT value FROM json_each(?))", json.dumps([*runs])
        rows = self._query(
            "SELECT DISTINCT json_extract(artifact.value, '$.digest') FROM stages, "
            f"json_each(stages.document, '$.artifacts') AS artifact {others}",
            (gone,),
        )
        found = {str(row[0]) for row in rows}
        rows = self._query(f"SELECT DISTINCT result FROM stages {others}", (gone,))
        used = {row["result"] for row in rows}
        for row in self._query("SELECT id, run_id, outputs FROM fingerprints", ()):
            if row["run_id"] not in runs or row["id"] in used:
                found.update(json.loads(row["outputs"]).values())
        return found


def _artifact_row(digest: str, marks: Marks, now: float) -> dict[str, Any]:
    return {
        "digest": digest,
        "size_bytes": marks.size_bytes,
        "mtime_ns": marks.mtime_ns,
        "inode": marks.inode,
        "created": now,
    }


def _table_row(row: sqlite3.Row, metrics: Mapping[str, float], counts: Mapping[str, int]) -> RunRow:
    from mlkit.core.run_row import RunRow  # as above

    parameters = decode(json.loads(row["parameters"] or "{}"))
    if (row["format"] or 1) < FORMAT:
        parameters = decode(parameters)
    overrides = decode(json.loads(row["overrides"] or "{}"))
    return RunRow(
        run_id=row["run_id"],
        pipeline=row["pipeline"],
        status=RunStatus(row["status"]),
        started=row["started"],
        ended=row["ended"],
        idle_s=row["idle_s"] or 0.0,
        parameters=with_overrides(parameters, overrides),
        profile=row["profile"] or "",
        group=row["grouped"] or "",
        interval=str(Interval.from_json(json.loads(row["interval"]))) if row["interval"] else "",
        note=row["note"] or "",
        metrics=metrics,
        counts=counts,
    )
