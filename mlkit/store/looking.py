"""What is known of the runs of a folder: its database, and the record in each run's own folder.

A run is there if its folder is. The database may have been deleted, or may never have heard of a
run that was copied here: its record, `run.json`, says the same.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from mlkit.core.record import Places, RunRecord
from mlkit.core.record_views import moved
from mlkit.errors import RunsFolderError
from mlkit.store.connection import open_to_read, user_version
from mlkit.store.database import Database
from mlkit.store.database_tables import SCHEMA_VERSION
from mlkit.store.folder import RunsFolder

__all__ = [
    "keep_metrics",
    "known_heads",
    "known_ids",
    "known_run",
    "known_runs",
    "looked_at",
    "opened",
    "record_of",
]

_LAST_S = 253_402_214_400.0
"""The last day of the year 9999, behind which there are no dates in Python."""


@contextlib.contextmanager
def looked_at(folder: RunsFolder) -> Iterator[Database]:
    """Open the database of a runs folder in order to look; nothing is written there.

    Where there is none, the runs' own records stand in for it.
    """
    with contextlib.closing(Database(folder.database, only_looks=True)) as database:
        _take_in_what_is_there(folder, database)
        yield database


@contextlib.contextmanager
def opened(folder: RunsFolder) -> Iterator[Database]:
    """Open the database of a runs folder; one that has to be made anew takes in what is there."""
    with contextlib.closing(Database(folder.database)) as database:
        _take_in_what_is_there(folder, database)
        yield database


def known_run(folder: RunsFolder, database: Database, run_id: str) -> RunRecord | None:
    """The record of a run whose folder is there."""
    record = database.load_run(run_id) or _recorded(folder, run_id)
    return None if record is None else replace(record, labels=folder.labels.of(run_id))


def known_runs(folder: RunsFolder, database: Database) -> list[RunRecord]:
    """The records of all runs whose folders are there, oldest first.

    Which began earlier the database knows, whatever the clock said that named them; a run that it
    does not know takes its place by its clock.
    """
    return _known(folder, database.load_runs())


def known_heads(folder: RunsFolder, database: Database) -> list[RunRecord]:
    """The same without their stages, of which thousands of runs have hundreds of thousands."""
    return _known(folder, database.runs_alone())


def _known(folder: RunsFolder, recorded: Iterable[RunRecord]) -> list[RunRecord]:
    there = set(folder.run_ids())
    found = [record for record in recorded if record.run_id in there]
    for run_id in sorted(there - {record.run_id for record in found}):
        record = _recorded(folder, run_id)
        if record is not None:
            later = (n for n, other in enumerate(found) if other.started > record.started)
            found.insert(next(later, len(found)), record)
    labels = folder.labels.by_run()
    return [replace(r, labels=labels[r.run_id]) if r.run_id in labels else r for r in found]


def known_ids(folder: RunsFolder, database: Database) -> list[str]:
    """The ids of all runs whose folders are there, oldest first, as `known_runs` orders them."""
    there = set(folder.run_ids())
    found = [run_id for run_id in database.run_ids() if run_id in there]
    return found if len(found) == len(there) else [r.run_id for r in known_heads(folder, database)]


def keep_metrics(
    folder: RunsFolder, measured: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> None:
    """Keep what was read of the files of older runs, where that is possible: nobody waits for it.

    A database of an older mlkit is left as it is; the next run brings it up to date.

    Parameters
    ----------
    folder : RunsFolder
        The runs folder; one that may not be written stays as it is.
    measured : mapping
        Run, stage, name, value.
    """
    if not measured or not os.access(folder.database, os.W_OK, effective_ids=True):
        return
    # without the right to write, the files are read again next time
    with contextlib.suppress(RunsFolderError, OSError):
        with contextlib.closing(open_to_read(folder.database)) as connection:
            if user_version(connection) != SCHEMA_VERSION:
                return
        with contextlib.closing(Database(folder.database)) as database:
            database.remember_metrics(measured)


def _take_in_what_is_there(folder: RunsFolder, database: Database) -> None:
    """Fill a database that has just been made; one that is only looked at stands in memory."""
    for run_id in folder.run_ids() if database.is_new else ():
        record = _recorded(folder, run_id)
        if record is not None:
            _keep(database, record)


def _recorded(folder: RunsFolder, run_id: str) -> RunRecord | None:
    """Read a run's own record; None of one that is damaged, or of another version."""
    try:
        text = folder.run(run_id).record.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    return record_of(text, run_id, folder)


def record_of(text: str | bytes, run_id: str, folder: RunsFolder) -> RunRecord | None:
    """Read the record of a run that is to stand in a folder; None of one that is damaged."""
    # Only where the database does not know a run.
    from mlkit.core.field_types import holds_what_it_declares

    try:
        record = moved(RunRecord.from_json(json.loads(text)), str(folder.path))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    is_whole = holds_what_it_declares(record) and _is_in_the_calendar(record)
    return record if record.run_id == run_id and is_whole else None


def _is_in_the_calendar(record: RunRecord) -> bool:
    """Whether every time in a record can be shown as a date."""
    times = [record.started, record.ended]
    for stage in record.stages.values():
        times += [stage.started, stage.ended, stage.begun]
        times += [time for attempt in stage.history for time in (attempt.started, attempt.ended)]
    return all(time is None or 0 <= time <= _LAST_S for time in times)


def _keep(database: Database, record: RunRecord) -> None:
    places = Places(record.edges)
    database.save_run(record)
    for rank, stage in enumerate(record.stages.values()):
        database.save_stage(record.run_id, stage, places.entry(stage.stage, rank))
