"""Results that a database shares with others through a store: those sent, and those taken in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlkit.store.results import Results

__all__ = ["ResultDocument", "SharedResults"]

_TABLE = (
    "CREATE TABLE IF NOT EXISTS shared(store TEXT NOT NULL, name TEXT NOT NULL, "
    "result INTEGER NOT NULL, PRIMARY KEY(store, name)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS shared_by_result ON shared(store, result)",
)
_COLUMNS = ("pipeline", "stage", "status", "key", "run_id", "created")
_JSON = ("parts", "observed", "outputs")


@dataclass(frozen=True, kw_only=True)
class ResultDocument:
    """A result as it stands in a store: the row of `fingerprints` without its number."""

    pipeline: str
    stage: str
    status: str
    key: str
    parts: Mapping[str, Any]
    observed: Mapping[str, Any]
    outputs: Mapping[str, str]
    run_id: str
    created: float


class SharedResults(Results):
    """The table `shared`, which stands in databases that have met a store only."""

    def open_shared(self) -> None:
        """Make the table."""
        with self._transaction():
            for statement in _TABLE:
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

    def document(self, result_id: int) -> ResultDocument | None:
        """A result as it is to stand in a store."""
        rows = self._query("SELECT * FROM fingerprints WHERE id = ?", (result_id,))
        if not rows:
            return None
        fields = {name: rows[0][name] for name in _COLUMNS}
        return ResultDocument(**fields, **{name: json.loads(rows[0][name]) for name in _JSON})

    def take_in(self, store: str, documents: Mapping[str, ResultDocument]) -> None:
        """Add results from a store, oldest first; one that is here already gets no second row.

        Parameters
        ----------
        store : str
            The store's URL.
        documents : mapping of str to ResultDocument
            By their names in the store.
        """
        with self._transaction():
            for name, document in sorted(documents.items(), key=lambda item: item[1].created):
                result_id = self._same(document) or self._put("fingerprints", _row(document))
                self._put("shared", {"store": store, "name": name, "result": result_id})

    def _same(self, document: ResultDocument) -> int | None:
        rows = self._query(
            "SELECT id FROM fingerprints WHERE pipeline = ? AND stage = ? AND key = ? "
            "AND run_id = ? AND created = ?",
            (
                *(document.pipeline, document.stage, document.key),
                *(document.run_id, document.created),
            ),
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


def _row(document: ResultDocument) -> dict[str, Any]:
    fields = {name: getattr(document, name) for name in _COLUMNS}
    return {**fields, **{name: json.dumps(getattr(document, name)) for name in _JSON}}
