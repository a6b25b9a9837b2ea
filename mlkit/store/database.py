"""The database of a runs folder: runs, stages, attempts, artifacts and fingerprints, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.store.artifacts import Marks
from mlkit.store.results import Finding, Result, artifact_row
from mlkit.store.rows import attempt_rows, run_from_row, run_row, stage_from_row, stage_row
from mlkit.store.shared_results import SharedResults

__all__ = ["INSTANCES_PER_STAGE", "Database", "Finding", "Result"]

INSTANCES_PER_STAGE = 1_000_000
"""The places in a record that belong to one stage."""

_TURN = "json_extract(document, '$.turn')"
_BY_TURN = f"ORDER BY COALESCE({_TURN}, 0), run_id"
"""Runs of an older mlkit have no turn; they come first, by their ids, which begin with the time."""


class Database(SharedResults):
    """The whole file: results, and the records of runs with their stages and attempts.

    Attributes
    ----------
    scrubber : Scrubber
        Takes the secrets of the present run out of everything that is written.
    """

    scrubber = Scrubber()

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
            self._put("runs", run_row(kept, self._turn(record, arrived=arrived)))

    def _turn(self, record: RunRecord, *, arrived: bool) -> int | None:
        """The number that says which run began before which, whatever their clocks said."""
        rows = self._query(f"SELECT {_TURN} FROM runs WHERE run_id = ?", (record.run_id,))
        if rows:
            return None if rows[0][0] is None else int(rows[0][0])
        before = ("WHERE started <= ?", (record.started,)) if arrived else ("", ())
        last = self._query(f"SELECT MAX({_TURN}) FROM runs {before[0]}", before[1])[0][0]
        return int(last or 0) + (0 if arrived else 1)

    def is_later(self, one: str, other: str) -> bool:
        """Whether a run began after another one."""
        rows = self._query(
            f"SELECT run_id FROM runs WHERE run_id IN (?, ?) {_BY_TURN}", (one, other)
        )
        return [row["run_id"] for row in rows][-1:] == [one]

    def save_stage(self, run_id: str, stage: StageRecord, place: int) -> None:
        """Write the state of one stage with its attempts."""
        with self._transaction():
            self._save_stage(run_id, stage, place)

    def _save_stage(self, run_id: str, stage: StageRecord, place: int) -> None:
        kept = self.scrubber.stage(stage)
        self._put("stages", stage_row(run_id, kept, place))
        for row in attempt_rows(run_id, kept):
            self._put("attempts", row)

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
                for table, column in (("stages", "id"), ("attempts", "stage")):
                    self._connection.execute(
                        f"DELETE FROM {table} WHERE run_id = ? AND {column} = ?",
                        (run_id, instance_id),
                    )

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
                self._put("artifacts", artifact_row(digest, marks, finding.created))
            row = {
                "pipeline": finding.pipeline,
                "stage": stage.id,
                "status": stage.status.value,
                "key": finding.key,
                "parts": json.dumps(self.scrubber.value(finding.parts)),
                "observed": json.dumps(finding.observed),
                "outputs": json.dumps(outputs),
                "run_id": finding.run_id,
                "created": finding.created,
            }
            stage = replace(stage, result=self._put("fingerprints", row))
            self._save_stage(finding.run_id, stage, place)
        return stage

    def load_run(self, run_id: str) -> RunRecord | None:
        """Read the whole record of a run; None if there is none."""
        rows = self._query("SELECT * FROM runs WHERE run_id = ?", (run_id,))
        return self._record(rows[0]) if rows else None

    def load_runs(self) -> list[RunRecord]:
        """Read the records of all runs, oldest first."""
        return [self._record(row) for row in self._query(f"SELECT * FROM runs {_BY_TURN}", ())]

    def scheduled_runs(self, pipeline: str) -> list[RunRecord]:
        """Read the runs of a pipeline that were made for an interval, without their stages."""
        rows = self._query(
            "SELECT * FROM runs WHERE pipeline = ? AND "
            f"json_extract(document, '$.options.interval') IS NOT NULL {_BY_TURN}",
            (pipeline,),
        )
        return [run_from_row(row, []) for row in rows]

    def _record(self, row: sqlite3.Row) -> RunRecord:
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
