"""Keep what a resumed run has finished already, as long as it would come out the same."""

from __future__ import annotations

from pathlib import Path

from mlkit.core.pipeline import Instance
from mlkit.core.record import StageRecord
from mlkit.core.states import WELL_ENDED
from mlkit.driver.context import Context
from mlkit.planner.fingerprint import Digests

__all__ = ["kept_record"]


def kept_record(context: Context, instance: Instance, inputs: Digests) -> StageRecord | None:
    """Give the record that an instance has in this run already, if it is still true.

    A stage that this run has finished keeps its status and its attempts, also one that is never
    reused by other runs, unless its code, parameters, inputs, modules or packages have changed.
    """
    record: StageRecord | None = context.previous.get(instance.id)
    if record is None or record.result is None:
        return None
    if record.status not in WELL_ENDED:
        return None
    result = context.stores.database.result(record.result)
    if result is None or result.key != context.planner.parts(instance, inputs).key:
        return None
    if context.planner.changes(instance, result) or not _make_whole(context, record):
        return None
    return record


def _make_whole(context: Context, record: StageRecord) -> bool:
    """See that a stage's copies in the run's folder are whole; restore those that are not."""
    store, deep = context.stores.artifacts, context.order.options.verify
    for artifact in record.artifacts.values():
        copy = Path(artifact.path)
        if store.is_copy_whole(artifact.digest, copy, deep=deep):
            continue
        if not store.is_whole(artifact.digest, None, deep=True):
            return False
        copy.parent.mkdir(parents=True, exist_ok=True)
        store.restore(artifact.digest, copy)
        place = Path(*copy.parts[-2:])
        context.book.warn(f"{place} was damaged and has been restored from the store")
    return True
