"""The index of a shared store: a small record for each result, written after its artifacts.

What no record names does not exist for anybody, so the record is the commit. A database on any
machine is brought up to date from these records, or made anew from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256

from mlkit.core.values import safe_name
from mlkit.store.database import Database
from mlkit.store.remote.shared import SharedStore
from mlkit.store.result import Result

__all__ = ["ResultIndex", "result_name"]

RESULTS = "results"
FORMAT = 1


def result_name(result: Result) -> str:
    """The name of a result's record below the store's URL; equal results have one name."""
    text = json.dumps(result.to_json(), sort_keys=True)
    stamp = f"{int(result.created * 1000):013d}-{sha256(text.encode()).hexdigest()[:16]}"
    return f"{_folder(result.pipeline)}/{safe_name(result.stage)}/{stamp}.json"


def _folder(pipeline: str) -> str:
    return f"{RESULTS}/{safe_name(pipeline)}"


class ResultIndex:
    """The results of a database and those of a shared store.

    Parameters
    ----------
    store : SharedStore
        The store.
    database : Database
        The database of this machine.
    """

    def __init__(self, store: SharedStore, database: Database) -> None:
        self.store = store
        self.database = database
        self.url = store.remote.url
        database.open_shared()

    def take_in(self, pipeline: str | None = None) -> None:
        """Take in what others have made since the last time.

        Parameters
        ----------
        pipeline : str, optional
            Only the results of one pipeline.
        """
        folder = RESULTS if pipeline is None else _folder(pipeline)
        there = {entry.name for entry in self.store.remote.entries(folder)}
        known = self.database.shared_names(self.url)
        gone = {name for name in known - there if name.startswith(folder + "/")}
        if gone:
            self.database.note_cleaned(self.url, gone)
            self.database.forget_shared(self.url, gone)
        found = self.store.remote.read_all(sorted(there - known))
        results = {name: _parsed(data) for name, data in found.items()}
        self.database.take_in(
            self.url, {name: item for name, item in results.items() if item is not None}
        )

    def share(self, result_id: int, *, deep: bool = False) -> None:
        """See that a result stands in the store: its artifacts first, its record last."""
        if self.database.is_shared(self.url, result_id) and not deep:
            return
        result = self.database.result(result_id)
        if result is None:
            return
        self.store.share(result.outputs.values(), deep=deep)
        name = result_name(result)
        if not self.database.is_shared(self.url, result_id):
            text = json.dumps({"format": FORMAT, **result.to_json()}, ensure_ascii=False, indent=1)
            self.store.remote.write(name, text.encode("utf-8", "backslashreplace"))
            self.database.remember_shared(self.url, name, result_id)

    def remove_orphans(self) -> None:
        """Remove the records of results that were cleaned away here."""
        names = self.database.orphans(self.url)
        self.store.remote.remove(names)
        self.database.forget_shared(self.url, names)


def _parsed(data: bytes) -> Result | None:
    """Read a record; one of another format, or a damaged one, is none."""
    try:
        document: Mapping[str, object] = json.loads(data)
        if document.get("format") != FORMAT:
            return None
        return Result.from_json(document)
    except (ValueError, KeyError, AttributeError):
        return None
